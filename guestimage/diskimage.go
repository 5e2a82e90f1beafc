package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"

	"kata-sysctl/guestimage/internal/disk"
	"kata-sysctl/guestimage/internal/fsimage"
	"kata-sysctl/guestimage/internal/rootfs"
	"kata-sysctl/guestimage/internal/verity"
)

// diskImage is a raw image with the root file system in its first partition.
type diskImage struct {
	file   *os.File
	layout *disk.Layout
	system fsimage.FileSystem
	params *verity.Params // of a measured image; nil if they were not given

	root, hash string // copies of the partitions, once they were needed
}

func openDisk(f *os.File, params *verity.Params) (shape, error) {
	d := &diskImage{file: f, params: params}
	var err error
	if d.layout, err = disk.Read(f); err != nil {
		return nil, err
	}
	root := io.NewSectionReader(f, d.layout.Root.Start, d.layout.Root.Size)
	if d.system, err = fsimage.Detect(root, d.layout.Root.Size); err != nil {
		return nil, fmt.Errorf("the first partition: %w", err)
	}
	if params != nil && !d.layout.Measured() {
		return nil, errNotMeasured
	}
	return d, nil
}

var errNotMeasured = errors.New("kernel_verity_params are given, but the image has no second partition with a hash tree")

func (d *diskImage) describe() [][2]string {
	header := "no"
	if d.layout.DAX {
		header = "yes"
	}
	measured := "no"
	if d.layout.Measured() {
		measured = "dm-verity, hash tree at byte " + strconv.FormatInt(d.layout.Hash.Start, 10)
	}
	return [][2]string{
		{"layout", "disk image"},
		{"DAX header", header},
		{"root", fmt.Sprintf("at byte %d, %d bytes", d.layout.Root.Start, d.layout.Root.Size)},
		{"file system", d.system.Name()},
		{"measured", measured},
	}
}

// extract copies the root partition, and the hash tree if there is one, to files of their own, once.
func (d *diskImage) extract(ctx context.Context, job *job) error {
	if d.root != "" {
		return nil
	}
	dir, err := job.scratch()
	if err != nil {
		return err
	}
	root, hash := filepath.Join(dir, "root.img"), filepath.Join(dir, "hash.img")
	job.progress.step("copying the root partition", d.layout.Root.Size)
	if err := disk.Extract(ctx, d.file, d.layout.Root, root, job.progress.copied); err != nil {
		return err
	}
	if d.layout.Measured() {
		if err := disk.Extract(ctx, d.file, d.layout.Hash, hash, job.progress.copied); err != nil {
			return err
		}
	}
	d.root, d.hash = root, hash
	return nil
}

func (d *diskImage) check(ctx context.Context, job *job) error {
	if err := d.extract(ctx, job); err != nil {
		return err
	}
	job.progress.step("checking "+d.system.Name(), 0)
	if err := d.system.Check(ctx, d.root); err != nil {
		return err
	}
	if d.params == nil {
		return nil
	}
	job.progress.step("checking the hash tree", 0)
	tree, err := verity.Look(ctx, d.hash, d.params)
	if err != nil {
		return err
	}
	return tree.Verify(ctx, d.root, d.hash, *d.params)
}

func (d *diskImage) look(ctx context.Context, job *job, see func(fs.ReadLinkFS) error) error {
	if err := d.extract(ctx, job); err != nil {
		return err
	}
	scratch, err := job.scratch()
	if err != nil {
		return err
	}
	return d.system.View(ctx, d.root, scratch, see)
}

func (d *diskImage) bake(ctx context.Context, job *job, entries []rootfs.Entry, out string) (*verity.Params, error) {
	if err := d.extract(ctx, job); err != nil {
		return nil, err
	}
	var tree verity.Tree
	var err error
	if d.layout.Measured() {
		if tree, err = verity.Look(ctx, d.hash, d.params); err != nil {
			return nil, err
		}
	}
	root, hash, err := d.add(ctx, job, entries)
	if err != nil {
		return nil, err
	}
	info, err := os.Stat(root)
	if err != nil {
		return nil, err
	}
	grown := d.layout.Grown(info.Size(), 0)
	var params *verity.Params
	if d.layout.Measured() {
		grown = d.layout.Grown(info.Size(), tree.Size(grown.Root.Size))
		if params, err = measure(ctx, job, tree, root, grown.Root.Size, hash); err != nil {
			return nil, err
		}
	}
	job.progress.step("writing the image", grown.Size)
	return params, d.layout.Assemble(ctx, d.file, grown, root, hash, out, job.progress.copied)
}

// add adds the entries to a copy of the root. It returns that, and where its hash tree can go.
func (d *diskImage) add(ctx context.Context, job *job, entries []rootfs.Entry) (root, hash string, err error) {
	dir, err := job.scratch()
	if err != nil {
		return "", "", err
	}
	root, hash = filepath.Join(dir, "root.img"), filepath.Join(dir, "hash.img")
	job.progress.step("copying the root partition", d.layout.Root.Size)
	if err := disk.Extract(ctx, d.file, d.layout.Root, root, job.progress.copied); err != nil {
		return "", "", err
	}
	scratch, err := job.scratch()
	if err != nil {
		return "", "", err
	}
	job.progress.step("writing to "+d.system.Name(), 0)
	return root, hash, d.system.Add(ctx, root, scratch, entries, job.now)
}

// measure makes the hash tree of the root partition, which is all of the partition and not only what the file system takes of it.
func measure(ctx context.Context, job *job, tree verity.Tree, root string, size int64, hash string) (*verity.Params, error) {
	job.progress.step("making the hash tree", 0)
	if err := os.Truncate(root, size); err != nil {
		return nil, err
	}
	params, err := tree.Format(ctx, root, hash)
	if err != nil {
		return nil, err
	}
	return &params, nil
}

func (d *diskImage) initramfs() bool { return false }

func (d *diskImage) close() error { return d.file.Close() }
