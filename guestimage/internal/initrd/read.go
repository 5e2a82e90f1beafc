package initrd

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"path"
	"strings"
	"testing/fstest"

	"github.com/cavaliergopher/cpio"
	"github.com/klauspost/compress/gzip"
	"github.com/klauspost/compress/zstd"
)

// A Compression of an archive.
type Compression string

// Those that are read and written. Kata makes gzip.
const (
	Plain Compression = "none"
	Gzip  Compression = "gzip"
	Zstd  Compression = "zstd"
)

// Errors.
var (
	ErrFormat    = errors.New("not an initrd: neither cpio (newc) nor that in gzip or zstd")
	ErrTruncated = errors.New("the initrd is truncated or damaged")
)

// Sniff says how an archive that begins with head, six bytes or more, is compressed.
func Sniff(head []byte) (Compression, bool) {
	for _, magic := range []struct {
		bytes       string
		compression Compression
	}{{"070701", Plain}, {"070702", Plain}, {"\x1f\x8b", Gzip}, {"\x28\xb5\x2f\xfd", Zstd}} {
		if bytes.HasPrefix(head, []byte(magic.bytes)) {
			return magic.compression, true
		}
	}
	return "", false
}

// An Initrd is what the kernel would unpack.
type Initrd struct {
	Root        fs.ReadLinkFS
	Compression Compression // of the last archive
}

// Read reads all archives.
func Read(r io.Reader) (*Initrd, error) {
	files := fstest.MapFS{} // the only file system in memory that the standard library has
	initrd := &Initrd{Root: files}
	in := bufio.NewReaderSize(r, 1<<20)
	for first := true; ; first = false {
		if err := skipZeros(in); errors.Is(err, io.EOF) && !first {
			return initrd, nil
		} else if err != nil {
			return nil, fmt.Errorf("%w: %w", ErrFormat, err)
		}
		head, err := in.Peek(6)
		compression, ok := Sniff(head)
		switch {
		case err != nil:
			return nil, fmt.Errorf("%w: %w", ErrTruncated, err)
		case !ok && first:
			return nil, fmt.Errorf("%w: it begins with % x", ErrFormat, head)
		case !ok:
			return nil, fmt.Errorf("%w: after an archive there is % x", ErrTruncated, head)
		}
		initrd.Compression = compression
		if err := readMember(in, compression, files); err != nil {
			return nil, fmt.Errorf("%w: %w", ErrTruncated, err)
		}
	}
}

// skipZeros skips the padding between archives.
func skipZeros(in *bufio.Reader) error {
	for {
		b, err := in.ReadByte()
		if err != nil {
			return err
		}
		if b != 0 {
			return in.UnreadByte()
		}
	}
}

// readMember reads a plain archive, a gzip member, or all zstd frames that follow.
func readMember(in *bufio.Reader, compression Compression, files fstest.MapFS) error {
	switch compression {
	case Gzip:
		member, err := gzip.NewReader(in)
		if err != nil {
			return err
		}
		member.Multistream(false)
		return readArchives(bufio.NewReader(member), files)
	case Zstd:
		frames, err := zstd.NewReader(in)
		if err != nil {
			return err
		}
		defer frames.Close()
		return readArchives(bufio.NewReader(frames), files)
	default:
		return readArchive(in, files)
	}
}

// readArchives reads to the end, where the checksum of the compression is.
func readArchives(in *bufio.Reader, files fstest.MapFS) error {
	for {
		if err := skipZeros(in); errors.Is(err, io.EOF) {
			return nil
		} else if err != nil {
			return err
		}
		if err := readArchive(in, files); err != nil {
			return err
		}
	}
}

func readArchive(r io.Reader, files fstest.MapFS) error {
	in := &watched{Reader: r}
	archive := cpio.NewReader(in)
	links := map[int64][]string{} // names of one inode: the content comes with the last of them
	for {
		header, err := archive.Next()
		if errors.Is(err, io.EOF) && in.ended {
			return io.ErrUnexpectedEOF
		}
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return err
		}
		content, err := io.ReadAll(archive)
		if err != nil {
			return err
		}
		if int64(len(content)) < header.Size && header.Linkname == "" {
			return io.ErrUnexpectedEOF
		}
		if header.Linkname != "" {
			content = []byte(header.Linkname)
		}
		name := strings.TrimPrefix(path.Clean("/"+header.Name), "/")
		if name == "" {
			continue
		}
		files[name] = &fstest.MapFile{Data: content, Mode: header.FileInfo().Mode(), ModTime: header.ModTime}
		if header.Links > 1 && header.Mode.IsRegular() {
			links[header.Inode] = append(links[header.Inode], name)
			if len(content) > 0 {
				for _, other := range links[header.Inode] {
					files[other].Data = content
				}
			}
		}
	}
}

// watched tells the end of an archive from that of the file, which cpio.Reader does not.
type watched struct {
	io.Reader
	ended bool
}

func (w *watched) Read(p []byte) (int, error) {
	n, err := w.Reader.Read(p)
	w.ended = w.ended || errors.Is(err, io.EOF)
	return n, err
}
