package fsimage

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"time"

	"kata-sysctl/guestimage/internal/rootfs"
)

// Errors.
var (
	ErrUnknown   = errors.New("not an ext4, erofs or xfs file system")
	ErrTruncated = errors.New("the file system is larger than what holds it: the image is truncated")
	ErrDamaged   = errors.New("the file system is damaged, or was not unmounted")
	ErrFull      = errors.New("not enough room in the file system")
	ErrNeedsRoot = errors.New("only root can mount, and without a mount this is not possible")
)

// A FileSystem does the work on one kind. All of its methods take the path of a file that holds nothing else.
type FileSystem interface {
	Name() string
	// Check says whether the file system is whole, without changing it.
	Check(ctx context.Context, file string) error
	// View calls look with a view of the file system, which ends with the call; scratch is an empty directory to use.
	View(ctx context.Context, file, scratch string, look func(fs.ReadLinkFS) error) error
	// Add adds the entries. It may make the file longer.
	Add(ctx context.Context, file, scratch string, entries []rootfs.Entry, now time.Time) error
}

// Detect tells the kind by the superblock, and whether all of the file system is in r, which has size bytes.
func Detect(r io.ReaderAt, size int64) (FileSystem, error) {
	head := make([]byte, 2048)
	if _, err := r.ReadAt(head, 0); err != nil {
		return nil, fmt.Errorf("read superblock: %w", err)
	}
	var kind FileSystem
	var needs int64
	switch ext, ero := head[1024:], head[1024:]; {
	case binary.LittleEndian.Uint16(ext[0x38:]) == 0xef53: // ext2_fs.h: s_magic
		kind = Ext4{}
		needs = int64(binary.LittleEndian.Uint32(ext[0x4:])) * (1024 << binary.LittleEndian.Uint32(ext[0x18:])) // s_blocks_count_lo, s_log_block_size
	case binary.LittleEndian.Uint32(ero) == 0xe0f5e1e2: // erofs_fs.h: magic
		kind = Erofs{}
		needs = int64(binary.LittleEndian.Uint32(ero[36:])) << ero[12] // blocks, blkszbits
	case string(head[:4]) == "XFSB": // xfs_format.h: sb_magicnum
		kind = XFS{}
		needs = int64(binary.BigEndian.Uint64(head[8:])) * int64(binary.BigEndian.Uint32(head[4:])) // sb_dblocks, sb_blocksize
	default:
		return nil, ErrUnknown
	}
	if needs > size {
		return nil, fmt.Errorf("%s of %d bytes in %d: %w", kind.Name(), needs, size, ErrTruncated)
	}
	return kind, nil
}
