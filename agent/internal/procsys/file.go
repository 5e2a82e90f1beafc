package procsys

import (
	"bytes"
	"errors"
	"fmt"

	"golang.org/x/sys/unix"
)

// ErrShortWrite reports that the kernel took only the head of a value and ignored the rest, as it does with more numbers
// than a key has.
var ErrShortWrite = errors.New("the kernel took only a part of the value")

// A File is an open key. It must be used in the namespaces that it was opened in.
type File struct {
	fd int
}

// readSize is the first size of a read. The kernel allocates and clears as many bytes for every read
// (fs/proc/proc_sysctl.c), and hardly a value is longer.
const readSize = 512

// maxRead is where reading gives up: the text of a full port bitmap has about 190 KiB.
const maxRead = 1 << 20

// A Buffer is room for reads and writes. The zero Buffer is ready.
type Buffer struct {
	b []byte
}

// Read returns the value without its final line break. It stays valid until the buffer is used again.
func (f File) Read(buf *Buffer) ([]byte, error) {
	if buf.b == nil {
		buf.b = make([]byte, readSize)
	}
	room := buf.b
	for {
		n, err := unix.Pread(f.fd, room, 0)
		switch {
		case err == unix.EINTR:
			continue
		case err != nil:
			return nil, fmt.Errorf("read: %w", err)
		case n < len(room):
			return bytes.TrimSuffix(room[:n], []byte("\n")), nil
		case n >= maxRead:
			return nil, fmt.Errorf("read: the value has more than %d bytes", maxRead)
		}
		// A value that fills the room may have been cut: a longer read starts over. The buffer stays small for the next one.
		room = make([]byte, 8*len(room))
	}
}

// Write writes the value and a line break in one call. The line break makes an empty value count: an empty write(2) is
// ignored. A short count is ErrShortWrite; the state may have changed even when there is an error.
func (f File) Write(buf *Buffer, value string) error {
	text := append(append(buf.b[:0], value...), '\n')
	for {
		n, err := unix.Pwrite(f.fd, text, 0)
		switch {
		case err == unix.EINTR:
			continue
		case err != nil:
			return fmt.Errorf("write: %w", err)
		case n < len(text):
			return fmt.Errorf("write: %w: %d of %d bytes", ErrShortWrite, n, len(text))
		}
		return nil
	}
}

// Close closes the file.
func (f File) Close() error { return unix.Close(f.fd) }
