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

// Erofs has no free space: it is unpacked and made anew, as Kata's osbuilder makes it. Only root can unpack the owners.
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
func (e Erofs) View(ctx context.Context, file, scratch string, look func(fs.ReadLinkFS) error) error {
	root := filepath.Join(scratch, "root")
	if err := e.unpack(ctx, file, root); err != nil {
		return err
	}
	return lookAt(root, look)
}

// unpack unpacks file into root, with the extended attributes if the tool can.
func (e Erofs) unpack(ctx context.Context, file, root string) error {
	keeps, err := e.keepsXattrs(ctx)
	if err != nil {
		return err
	}
	args := []string{"--extract=" + root}
	if keeps {
		args = append(args, "--xattrs")
	}
	if os.Geteuid() == 0 {
		args = append(args, "--preserve")
	}
	if _, err := tool.Run(ctx, "fsck.erofs", append(args, file)...); err != nil {
		return fmt.Errorf("unpack erofs: %w", err)
	}
	return nil
}

// keepsXattrs is whether fsck.erofs has an option for them, which came late.
func (Erofs) keepsXattrs(ctx context.Context) (bool, error) {
	help, err := tool.Run(ctx, "fsck.erofs", "--help")
	return strings.Contains(help.Stdout+help.Stderr, "xattrs"), err
}

// restore gives the unpacked tree what old versions of fsck.erofs leave out: it links the names of one file to each other
// again, and fails where there are extended attributes that were lost.
func (e Erofs) restore(ctx context.Context, file, root string) error {
	keeps, err := e.keepsXattrs(ctx)
	if err != nil {
		return err
	}
	first := map[string]string{} // by the number of the inode
	return filepath.WalkDir(root, func(name string, entry fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		inside := strings.TrimPrefix(name, root) + "/"
		if inside != "/" {
			inside = strings.TrimSuffix(inside, "/")
		}
		out, err := tool.Run(ctx, "dump.erofs", "--path="+inside, file)
		if err != nil {
			return fmt.Errorf("read erofs: %s: %w", inside, err)
		}
		if !keeps && after(out.Stdout, "Xattr size: ") != "0" {
			return fmt.Errorf("%s: %w", inside, ErrXattrs)
		}
		if !entry.Type().IsRegular() || after(out.Stdout, "Links: ") == "1" {
			return nil
		}
		inode := after(out.Stdout, "NID: ")
		other, ok := first[inode]
		if !ok {
			first[inode] = name
			return nil
		}
		return relink(other, name)
	})
}

// relink makes name another name of the file other, and leaves the folder its date.
func relink(other, name string) error {
	folder := filepath.Dir(name)
	info, err := os.Stat(folder)
	if err != nil {
		return err
	}
	if err := os.Remove(name); err != nil {
		return err
	}
	if err := os.Link(other, name); err != nil {
		return err
	}
	return os.Chtimes(folder, info.ModTime(), info.ModTime())
}

// after is the word after label.
func after(text, label string) string {
	_, rest, _ := strings.Cut(text, label)
	word, _, _ := strings.Cut(rest, "\n")
	word, _, _ = strings.Cut(word, " ")
	return word
}

// Add implements FileSystem.
func (e Erofs) Add(ctx context.Context, file, scratch string, entries []rootfs.Entry, _ time.Time) error {
	if os.Geteuid() != 0 {
		return fmt.Errorf("make erofs anew, with its owners: %w", ErrNeedsRoot)
	}
	about, err := tool.Run(ctx, "dump.erofs", "-s", file)
	if err != nil {
		return fmt.Errorf("read erofs: %w", err)
	}
	root := filepath.Join(scratch, "root")
	if err := e.unpack(ctx, file, root); err != nil {
		return err
	}
	if err := e.restore(ctx, file, root); err != nil {
		return err
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
