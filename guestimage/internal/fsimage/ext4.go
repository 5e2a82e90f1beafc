package fsimage

import (
	"context"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"

	"golang.org/x/sys/unix"

	"kata-sysctl/guestimage/internal/payload"
	"kata-sysctl/guestimage/internal/rootfs"
	"kata-sysctl/guestimage/internal/tool"
)

// Ext4 uses e2fsprogs; no privileges are needed.
type Ext4 struct{}

// Name implements FileSystem.
func (Ext4) Name() string { return "ext4" }

// Check implements FileSystem.
func (Ext4) Check(ctx context.Context, file string) error {
	if _, err := tool.Run(ctx, "e2fsck", "-f", "-n", file); err != nil {
		return damaged(err)
	}
	out, err := tool.Run(ctx, "dumpe2fs", "-h", file)
	if err != nil {
		return fmt.Errorf("read ext4: %w", err)
	}
	// e2fsck -n looks past it, and whoever replays it later loses what is written now.
	if slices.Contains(strings.Fields(text(out.Stdout, "Filesystem features")), "needs_recovery") {
		return fmt.Errorf("%w: its journal has changes that were not made: mount and unmount a copy, or run e2fsck on it", ErrDamaged)
	}
	return nil
}

// View implements FileSystem.
func (Ext4) View(ctx context.Context, file, scratch string, look func(fs.ReadLinkFS) error) error {
	file, err := filepath.Abs(file)
	if err != nil {
		return err
	}
	// What rdump complains of is owners that only root can give, and devices, which it leaves out. It runs in the
	// directory, because it has no way to quote a name.
	if _, err := (tool.Place{Dir: scratch}).Run(ctx, "debugfs", "-R", "rdump / .", file); err != nil {
		return fmt.Errorf("read ext4: %w", err)
	}
	return lookAt(scratch, look)
}

// Add implements FileSystem.
func (e Ext4) Add(ctx context.Context, file, scratch string, entries []rootfs.Entry, now time.Time) error {
	if err := e.room(ctx, file, payload.Growth(entries)); err != nil {
		return err
	}
	file, err := filepath.Abs(file)
	if err != nil {
		return err
	}
	var commands strings.Builder
	for i, entry := range entries {
		source := strconv.Itoa(i)
		if entry.From == "" && entry.Mode.IsRegular() {
			if err := os.WriteFile(filepath.Join(scratch, source), entry.Content, 0o600); err != nil {
				return err
			}
		}
		command(&commands, entry, source)
	}
	if err := os.WriteFile(filepath.Join(scratch, "commands"), []byte(commands.String()), 0o600); err != nil {
		return err
	}
	debugfs := tool.Place{Dir: scratch, Env: []string{fmt.Sprintf("E2FSPROGS_FAKE_TIME=%d", max(now.Unix(), 1))}} // 0 would be the clock's
	// It goes on after a command that failed, as the removal of what is not there does: what it made has to be looked at.
	if _, err := debugfs.Run(ctx, "debugfs", "-w", "-f", "commands", file); err != nil {
		return fmt.Errorf("write ext4: %w", err)
	}
	return nil
}

// command writes what debugfs has to do for an entry, whose content is in the file source.
func command(out *strings.Builder, entry rootfs.Entry, source string) {
	name := "/" + entry.Path
	if entry.From != "" { // ln leaves the count of links as it is, and so does unlink
		fmt.Fprintf(out, "ln /%s %s\nunlink /%s\n", entry.From, name, entry.From)
		return
	}
	mode := uint32(entry.Mode.Perm())
	switch entry.Mode.Type() {
	case fs.ModeDir:
		fmt.Fprintf(out, "mkdir %s\n", name)
		mode |= unix.S_IFDIR
	case fs.ModeSymlink:
		fmt.Fprintf(out, "rm %s\nsymlink %s %s\n", name, name, entry.Target)
		mode = unix.S_IFLNK | 0o777
	default:
		fmt.Fprintf(out, "rm %s\nwrite %s %s\n", name, source, name)
		mode |= unix.S_IFREG
	}
	fields := []string{fmt.Sprintf("mode 0%o", mode), "uid 0", "gid 0"}
	for _, date := range []string{"atime", "ctime", "mtime", "crtime"} {
		fields = append(fields, fmt.Sprintf("%s @%d", date, entry.Date.Unix()))
	}
	for _, field := range fields {
		fmt.Fprintf(out, "set_inode_field %s %s\n", name, field)
	}
}

// room checks that so many bytes fit, with some for directories.
func (Ext4) room(ctx context.Context, file string, need int64) error {
	out, err := tool.Run(ctx, "dumpe2fs", "-h", file)
	if err != nil {
		return fmt.Errorf("read ext4: %w", err)
	}
	blocks, block := number(out.Stdout, "Free blocks"), number(out.Stdout, "Block size")
	need += 16 * block
	if free := blocks * block; free < need {
		return fmt.Errorf("ext4 has %d bytes free and %d are needed: %w: make the image with more (osbuilder: ROOT_FREE_SPACE)", free, need, ErrFull)
	}
	if inodes := number(out.Stdout, "Free inodes"); inodes < 16 {
		return fmt.Errorf("ext4 has %d inodes free and 16 are needed: %w", inodes, ErrFull)
	}
	return nil
}

// number is the number after "name:" at the start of a line; 0 if there is none.
func number(lines, name string) int64 {
	n, _ := strconv.ParseInt(text(lines, name), 10, 64)
	return n
}

// text is what is after "name:" at the start of a line; empty if there is none.
func text(lines, name string) string {
	for line := range strings.Lines(lines) {
		if value, ok := strings.CutPrefix(line, name+":"); ok {
			return strings.TrimSpace(value)
		}
	}
	return ""
}
