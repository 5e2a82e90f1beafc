package fsimage

import (
	"context"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"kata-sysctl/guestimage/internal/rootfs"
	"kata-sysctl/guestimage/internal/tool"
)

// Erofs has no free space: it is copied out and made anew, as Kata's osbuilder makes it. For the copy it is mounted, which
// takes root: an older fsck.erofs, such as Debian 12's, unpacks neither hard links nor extended attributes. What it unpacks
// is enough to look at.
type Erofs struct{}

// Name implements FileSystem.
func (Erofs) Name() string { return "erofs" }

// Check implements FileSystem.
func (Erofs) Check(ctx context.Context, file string) error {
	if _, err := tool.Run(ctx, "fsck.erofs", "--extract", file); err != nil {
		return damaged(err)
	}
	return nil
}

// View implements FileSystem.
func (Erofs) View(ctx context.Context, file, scratch string, look func(fs.ReadLinkFS) error) error {
	root := filepath.Join(scratch, "root")
	args := []string{"--extract=" + root}
	if os.Geteuid() == 0 {
		args = append(args, "--preserve")
	}
	if _, err := tool.Run(ctx, "fsck.erofs", append(args, file)...); err != nil {
		return fmt.Errorf("unpack erofs: %w", err)
	}
	return lookAt(root, look)
}

// Add implements FileSystem.
func (e Erofs) Add(ctx context.Context, file, scratch string, entries []rootfs.Entry, _ time.Time) error {
	about, err := tool.Run(ctx, "dump.erofs", "-s", file)
	if err != nil {
		return fmt.Errorf("read erofs: %w", err)
	}
	root := filepath.Join(scratch, "root")
	err = mounted(ctx, e, file, scratch, "ro", func(mount string) error {
		_, err := tool.Run(ctx, "cp", "--archive", "--no-target-directory", "--", mount, root)
		return err
	})
	if err != nil {
		return fmt.Errorf("unpack erofs: %w", err)
	}
	if err := rootfs.Add(root, entries); err != nil {
		return err
	}
	newest, err := newestDate(root)
	if err != nil {
		return err
	}
	args := []string{"--quiet", "-Enoinline_data"}
	if uuid := value(about.Stdout, "Filesystem UUID"); uuid != "" {
		args = append(args, "-U"+uuid)
	}
	if strings.Contains(value(about.Stdout, "Filesystem features"), "0padding") { // compressed by lz4
		args = append(args, "-zlz4hc")
	}
	made := filepath.Join(scratch, "erofs")
	// The date of the file system itself; files that are newer would be given it, and none is.
	date := "SOURCE_DATE_EPOCH=" + strconv.FormatInt(newest.Unix()+1, 10)
	if _, err := (tool.Place{Env: []string{date}}).Run(ctx, "mkfs.erofs", append(args, made, root)...); err != nil {
		return fmt.Errorf("make erofs: %w", err)
	}
	return os.Rename(made, file)
}

// newestDate is the date of the newest file below root.
func newestDate(root string) (newest time.Time, err error) {
	err = filepath.WalkDir(root, func(_ string, entry fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		info, err := entry.Info()
		if err == nil && info.ModTime().After(newest) {
			newest = info.ModTime()
		}
		return err
	})
	return newest, err
}

// value is the text after "name:" at the start of a line.
func value(text, name string) string {
	for line := range strings.Lines(text) {
		if value, ok := strings.CutPrefix(line, name+":"); ok {
			return strings.TrimSpace(value)
		}
	}
	return ""
}
