package disk

import (
	"context"
	"errors"
	"fmt"
	"io"
	"math"
	"os"
	"slices"

	"github.com/diskfs/go-diskfs/backend"
	"github.com/diskfs/go-diskfs/backend/file"
)

// growth is what partitions grow by: DAX maps an image in pages of this size.
const growth = 2 << 20

// Grown is the layout with room for a root and a hash tree of these sizes. What fits stays as it is.
func (l *Layout) Grown(root, hash int64) *Layout {
	grown := *l
	more := missing(root, l.Root.Size)
	grown.Root.Size += more
	grown.Size += more
	if l.Measured() {
		grown.Hash.Start += more
		moreHash := missing(hash, l.Hash.Size)
		grown.Hash.Size += moreHash
		grown.Size += moreHash
	}
	return &grown
}

func missing(need, have int64) int64 {
	if need <= have {
		return 0
	}
	return (need - have + growth - 1) / growth * growth
}

// Assemble writes a new image to the file name: like image, whose layout is l, but with the partitions of grown, filled
// from the files root and, if there is one, hash.
func (l *Layout) Assemble(ctx context.Context, image *os.File, grown *Layout, root, hash, name string, meter Meter) (err error) {
	out, err := os.OpenFile(name, os.O_CREATE|os.O_EXCL|os.O_RDWR, 0o644)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, out.Close()) }()

	between := func(from, to, at int64) error { // what is in no partition
		return copySparse(ctx, out, at, io.NewSectionReader(image, from, to-from), meter)
	}
	fill := func(content string, e Extent) error {
		f, err := os.Open(content)
		if err != nil {
			return err
		}
		defer f.Close()
		info, err := f.Stat()
		if err != nil {
			return err
		}
		if info.Size() > e.Size {
			return fmt.Errorf("%d bytes for a partition of %d", info.Size(), e.Size)
		}
		return copySparse(ctx, out, e.Start, f, meter)
	}

	end, newEnd := l.Root.End(), grown.Root.End()
	if err := errors.Join(between(0, l.Root.Start, 0), fill(root, grown.Root)); err != nil {
		return fmt.Errorf("write image: %w", err)
	}
	if l.Measured() {
		if err := errors.Join(between(end, l.Hash.Start, newEnd), fill(hash, grown.Hash)); err != nil {
			return fmt.Errorf("write image: %w", err)
		}
		end, newEnd = l.Hash.End(), grown.Hash.End()
	}
	if err := errors.Join(between(end, l.Size, newEnd), out.Truncate(grown.Size)); err != nil {
		return fmt.Errorf("write image: %w", err)
	}
	if grown.Size == l.Size {
		return nil
	}
	return l.writeTables(out, grown)
}

// writeTables writes the partition tables of an image that has grown. Each partition grows and moves by as much in every table.
func (l *Layout) writeTables(out *os.File, grown *Layout) error {
	changes := []Extent{
		{Size: grown.Root.Size - l.Root.Size},
		{Start: grown.Hash.Start - l.Hash.Start, Size: grown.Hash.Size - l.Hash.Size},
	}
	for _, t := range l.tables {
		table := *t.mbr
		table.Partitions = slices.Clone(t.mbr.Partitions)
		for i, old := range t.partitions {
			start, size := int64(old.Start)+changes[i].Start/sector, int64(old.Size)+changes[i].Size/sector
			if start+size > math.MaxUint32 {
				return fmt.Errorf("write partition table: %d sectors are too many for an MBR", start+size)
			}
			partition := *old
			partition.Start, partition.Size = uint32(start), uint32(size)
			table.Partitions[i] = &partition
		}
		writable, err := backend.Sub(file.New(out, false), t.base, grown.Size-t.base).Writable()
		if err != nil {
			return fmt.Errorf("write partition table: %w", err)
		}
		if err := table.Write(writable, grown.Size); err != nil {
			return fmt.Errorf("write partition table: %w", err)
		}
	}
	return nil
}
