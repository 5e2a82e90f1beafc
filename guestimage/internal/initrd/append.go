package initrd

import (
	"fmt"
	"io"
	"io/fs"

	"github.com/cavaliergopher/cpio"
	"github.com/klauspost/compress/gzip"
	"github.com/klauspost/compress/zstd"

	"kata-sysctl/guestimage/internal/rootfs"
)

// align is where the kernel looks for an archive that is not compressed.
const align = 4

// Append writes to w, which has size bytes already, an archive with the entries, in their order.
func Append(w io.Writer, size int64, compression Compression, entries []rootfs.Entry) error {
	var member io.WriteCloser
	var err error
	switch compression {
	case Gzip:
		member, err = gzip.NewWriterLevel(w, gzip.BestCompression)
	case Zstd:
		// One goroutine, so that the bytes don't depend on the number of processors.
		member, err = zstd.NewWriter(w, zstd.WithEncoderLevel(zstd.SpeedBestCompression), zstd.WithEncoderConcurrency(1))
	default:
		member = plain{w}
		_, err = w.Write(make([]byte, (align-size%align)%align))
	}
	if err != nil {
		return fmt.Errorf("append archive: %w", err)
	}
	archive := cpio.NewWriter(member)
	for i, entry := range entries {
		if err := write(archive, int64(i+1), entry); err != nil {
			return fmt.Errorf("append %s: %w", entry.Path, err)
		}
	}
	if err := archive.Close(); err != nil {
		return fmt.Errorf("append archive: %w", err)
	}
	if err := member.Close(); err != nil {
		return fmt.Errorf("append archive: %w", err)
	}
	return nil
}

func write(archive *cpio.Writer, inode int64, entry rootfs.Entry) error {
	header := &cpio.Header{Name: entry.Path, Mode: cpio.FileMode(entry.Mode.Perm()), Links: 1, ModTime: entry.Date, Inode: inode}
	content := entry.Content
	switch entry.Mode.Type() {
	case fs.ModeDir:
		header.Mode |= cpio.TypeDir
		header.Links = 2
	case fs.ModeSymlink:
		header.Mode = cpio.TypeSymlink | 0o777
		content = []byte(entry.Target)
	default:
		header.Mode |= cpio.TypeReg
	}
	header.Size = int64(len(content))
	if err := archive.WriteHeader(header); err != nil {
		return err
	}
	_, err := archive.Write(content)
	return err
}

type plain struct{ io.Writer }

func (plain) Close() error { return nil }
