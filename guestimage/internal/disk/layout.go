package disk

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"os"

	"github.com/diskfs/go-diskfs/backend"
	"github.com/diskfs/go-diskfs/backend/file"
	"github.com/diskfs/go-diskfs/partition/mbr"
)

const (
	daxHeader = 2 << 20 // bytes before the image proper
	sector    = 512
)

// Errors.
var (
	ErrNoTable   = errors.New("no MBR partition table")
	ErrTable     = errors.New("not the partition table of a Kata image")
	ErrTruncated = errors.New("the image ends before its partitions do: it is truncated")
)

// An Extent is a range of the image, in bytes.
type Extent struct{ Start, Size int64 }

// End is the first byte after the extent.
func (e Extent) End() int64 { return e.Start + e.Size }

// A Layout is where things are in an image.
type Layout struct {
	DAX  bool // whether the header of the NVDIMM driver comes first
	Size int64
	Root Extent
	Hash Extent // of dm-verity; of no size if the image is not measured

	tables []table
}

// Measured says whether there is a second partition.
func (l *Layout) Measured() bool { return l.Hash.Size > 0 }

// A table is an MBR and the offset of it and of what it counts from.
type table struct {
	base       int64
	mbr        *mbr.Table
	partitions []*mbr.Partition // those that are in use
}

// Read reads the layout. With a DAX header both tables have to agree on where the root is; their ends may differ, as
// osbuilder makes them from the same numbers at different offsets, and the inner one is what the guest sees.
func Read(f *os.File) (*Layout, error) {
	info, err := f.Stat()
	if err != nil {
		return nil, err
	}
	layout := &Layout{Size: info.Size()}
	if layout.DAX, err = hasDAX(f); err != nil {
		return nil, err
	}
	bases := []int64{0}
	if layout.DAX {
		bases = append(bases, daxHeader)
	}
	for _, base := range bases {
		t, err := readTable(f, base, info.Size())
		if err != nil {
			return nil, err
		}
		layout.tables = append(layout.tables, t)
	}
	inner := layout.tables[len(layout.tables)-1]
	for _, t := range layout.tables {
		if got, want := t.extent(0).Start, inner.extent(0).Start; got != want {
			return nil, fmt.Errorf("%w: the root is at byte %d by the first table and at %d by the one after the DAX header", ErrTable, got, want)
		}
		if len(t.partitions) != len(inner.partitions) {
			return nil, fmt.Errorf("%w: %d partitions by the first table, %d by the one after the DAX header", ErrTable, len(t.partitions), len(inner.partitions))
		}
	}
	layout.Root = inner.extent(0)
	if len(inner.partitions) > 1 {
		layout.Hash = inner.extent(1)
		if layout.Hash.Start < layout.Root.End() {
			return nil, fmt.Errorf("%w: the second partition starts at byte %d, before the first ends", ErrTable, layout.Hash.Start)
		}
	}
	return layout, nil
}

// hasDAX looks for the info block of the NVDIMM driver (the kernel's drivers/nvdimm/pfn.h), which is 4 KiB in.
func hasDAX(f io.ReaderAt) (bool, error) {
	block := make([]byte, 64)
	if _, err := f.ReadAt(block, 4096); err != nil {
		if errors.Is(err, io.EOF) {
			return false, ErrTruncated
		}
		return false, err
	}
	if string(block[:16]) != "NVDIMM_PFN_INFO\x00" {
		return false, nil
	}
	if offset := binary.LittleEndian.Uint64(block[56:]); offset != daxHeader {
		return false, fmt.Errorf("%w: a DAX header of %d bytes, where Kata's has %d", ErrTable, offset, daxHeader)
	}
	return true, nil
}

func readTable(f *os.File, base, size int64) (table, error) {
	read, err := mbr.Read(backend.Sub(file.New(f, true), base, size-base), sector, sector)
	if err != nil {
		return table{}, fmt.Errorf("byte %d: %w: %w", base, ErrNoTable, err)
	}
	t := table{base: base, mbr: read}
	for i, p := range read.Partitions {
		if p.Type == mbr.Empty {
			continue
		}
		if len(t.partitions) != i {
			return table{}, fmt.Errorf("%w: partition %d is in use and one before it is not", ErrTable, i+1)
		}
		t.partitions = append(t.partitions, p)
		if p.Type == mbr.GPTProtective {
			return table{}, fmt.Errorf("%w: it is a GPT, and Kata's images have an MBR", ErrTable)
		}
		if e := t.extent(i); e.End() > size {
			return table{}, fmt.Errorf("partition %d ends at byte %d of %d: %w", i+1, e.End(), size, ErrTruncated)
		}
	}
	if n := len(t.partitions); n == 0 || n > 2 {
		return table{}, fmt.Errorf("%w: it has %d partitions, not the root and at most its hash tree", ErrTable, n)
	}
	return t, nil
}

func (t table) extent(i int) Extent {
	p := t.partitions[i]
	return Extent{Start: t.base + int64(p.Start)*sector, Size: int64(p.Size) * sector}
}
