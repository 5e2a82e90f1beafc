package testimage

import (
	"bytes"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
)

// Programs are what has to be in PATH.
var Programs = []string{"cpio", "gzip", "zstd", "mke2fs", "mkfs.erofs", "mkfs.xfs", "sfdisk", "veritysetup"}

// An Image has been made.
type Image struct {
	Path   string
	Params string // kernel_verity_params of a measured one, as osbuilder writes them
}

// Initrd packs the directory root as osbuilder's initrd_builder.sh does, into a new file in dir. compress is a command line.
func Initrd(root, dir, compress string) (Image, error) {
	image := Image{Path: filepath.Join(dir, "initrd")}
	_, err := Shell(`cd "$1"; find . | LC_ALL=C sort | cpio --quiet -H newc -o | $2 >"$3"`, root, compress, image.Path)
	return image, err
}

// A Kind of raw disk image, as osbuilder's image_builder.sh makes it.
type Kind struct {
	FileSystem string // ext4, erofs (compressed), "plain erofs" (not), xfs or "full xfs"
	Megabytes  int    // of the file system; 0 for as much as it takes (erofs)
	DAX        bool
	Measured   bool
	Superblock bool // of the hash tree: Kata 4.1 makes none, and images made before have one
}

// makeFileSystem writes the file system of the directory $1 to the file $2 of $3 MiB.
var makeFileSystem = map[string]string{
	"ext4":        `truncate -s "$3M" "$2"; mke2fs -q -F -t ext4 -b 4096 -d "$1" "$2"`,
	"erofs":       `mkfs.erofs --quiet -zlz4hc -Enoinline_data "$2" "$1"`,
	"plain erofs": `mkfs.erofs --quiet -Enoinline_data "$2" "$1"`,
	"xfs": `truncate -s "$3M" "$2"; mkfs.xfs -q -m reflink=0 "$2"; mkdir "$2.mnt"
		mount -o loop "$2" "$2.mnt"; trap 'umount "$2.mnt"; rmdir "$2.mnt"' EXIT; cp -a "$1/." "$2.mnt"`,
	"full xfs": `truncate -s "$3M" "$2"; mkfs.xfs -q -m reflink=0 "$2"; mkdir "$2.mnt"
		mount -o loop "$2" "$2.mnt"; trap 'umount "$2.mnt"; rmdir "$2.mnt"' EXIT; cp -a "$1/." "$2.mnt"
		fallocate -l "$(($(df --output=avail -k "$2.mnt" | tail -n1) - 3000))k" "$2.mnt/filler"`,
}

const (
	mib     = 1 << 20
	sectors = mib / 512 // a MiB
)

// Disk makes an image of the directory root in dir.
func Disk(root, dir string, kind Kind) (Image, error) {
	image := Image{Path: filepath.Join(dir, "kata.img")}
	file, tree := filepath.Join(dir, "root.fs"), filepath.Join(dir, "root.hash")
	size, err := fileSystem(root, file, kind)
	if err != nil {
		return Image{}, err
	}
	treeSize := 0
	if kind.Measured {
		if image.Params, err = measure(file, tree, kind.Superblock); err != nil {
			return Image{}, err
		}
		if treeSize, err = roundUp(tree); err != nil {
			return Image{}, err
		}
	} else if err := os.WriteFile(tree, nil, 0o600); err != nil {
		return Image{}, err
	}
	table := func(start, rootMiB int) string {
		text := fmt.Sprintf("%d,%d,L,*\n", start*sectors, rootMiB*sectors)
		if kind.Measured {
			text += fmt.Sprintf("%d,%d,L\n", (start+rootMiB)*sectors, treeSize*sectors)
		}
		return text
	}
	whole := 1 + size + treeSize + 1
	whole += whole % 2 // persistent memory comes in steps of 2 MiB
	if _, err := Shell(`truncate -s "$1M" "$2"; printf %s "$3" | sfdisk --quiet "$2"
		dd if="$4" of="$2" bs=1M seek=1 conv=notrunc,sparse status=none
		dd if="$5" of="$2" bs=1M seek="$6" conv=notrunc status=none
		rm "$4" "$5"`,
		fmt.Sprint(whole), image.Path, table(1, size), file, tree, fmt.Sprint(1+size)); err != nil {
		return Image{}, err
	}
	if kind.DAX {
		// In osbuilder's table before the header the root ends where it does, but for measured images, which it divides anew.
		if kind.Measured {
			size--
		}
		err = addDAX(image.Path, table(3, size))
	}
	return image, err
}

// fileSystem writes a file system to a file of whole MiB, and returns how many.
func fileSystem(root, file string, kind Kind) (int, error) {
	if _, err := Shell(makeFileSystem[kind.FileSystem], root, file, fmt.Sprint(kind.Megabytes)); err != nil {
		return 0, err
	}
	size, err := roundUp(file)
	if err != nil {
		return 0, err
	}
	return size, os.Truncate(file, int64(size)*mib)
}

// roundUp is the size of a file in MiB.
func roundUp(file string) (int, error) {
	info, err := os.Stat(file)
	if err != nil {
		return 0, err
	}
	return int((info.Size() + mib - 1) / mib), nil
}

// measure writes the hash tree of a file, and returns the line that osbuilder's build_kernel_verity_params makes of what veritysetup prints.
func measure(file, tree string, superblock bool) (string, error) {
	option := "--no-superblock"
	if superblock {
		option = ""
	}
	printed, err := Shell(`veritysetup format $1 "$2" "$3"`, option, file, tree)
	if err != nil {
		return "", err
	}
	var pairs []string
	for _, name := range []string{"Root hash", "Salt", "Data blocks", "Data block size", "Hash block size"} {
		for line := range strings.Lines(printed) {
			if value, ok := strings.CutPrefix(line, name+":"); ok {
				pairs = append(pairs, strings.ReplaceAll(strings.ToLower(name), " ", "_")+"="+strings.TrimSpace(value))
			}
		}
	}
	return strings.Join(pairs, ","), nil
}

// Shell runs a script with arguments, and returns what it prints.
func Shell(script string, args ...string) (string, error) {
	cmd := exec.Command("sh", append([]string{"-euc", script, "sh"}, args...)...)
	cmd.Env = append(os.Environ(), "PATH="+os.Getenv("PATH")+":/usr/sbin:/sbin")
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	if err != nil {
		return "", fmt.Errorf("%w\n%s\n%s", err, script, stderr.String())
	}
	return string(out), nil
}
