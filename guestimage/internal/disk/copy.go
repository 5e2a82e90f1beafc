package disk

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
)

// A Meter is told of bytes as they are copied.
type Meter func(bytes int64)

const chunk = 256 << 10

var zeros [chunk]byte

// copySparse copies what r holds to dst, a new file, from offset on, and leaves holes for zeros.
func copySparse(ctx context.Context, dst *os.File, offset int64, r io.Reader, meter Meter) error {
	buffer := make([]byte, chunk)
	for {
		if err := ctx.Err(); err != nil {
			return err
		}
		n, err := io.ReadFull(r, buffer)
		if n > 0 && !bytes.Equal(buffer[:n], zeros[:n]) {
			if _, err := dst.WriteAt(buffer[:n], offset); err != nil {
				return err
			}
		}
		offset += int64(n)
		meter(int64(n))
		if errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
			return nil
		}
		if err != nil {
			return err
		}
	}
}

// Extract copies an extent of the image into a new file.
func Extract(ctx context.Context, image *os.File, e Extent, name string, meter Meter) (err error) {
	f, err := os.OpenFile(name, os.O_CREATE|os.O_EXCL|os.O_RDWR, 0o600)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, f.Close()) }()
	if err := copySparse(ctx, f, 0, io.NewSectionReader(image, e.Start, e.Size), meter); err != nil {
		return fmt.Errorf("copy a partition: %w", err)
	}
	return f.Truncate(e.Size)
}
