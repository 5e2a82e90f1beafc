package initrd

import (
	"bytes"
	"errors"
	"io/fs"
	"strings"
	"testing"
	"time"

	"kata-sysctl/guestimage/internal/rootfs"
)

// archive is one with files of these names and contents.
func archive(t *testing.T, compression Compression, files ...[2]string) []byte {
	t.Helper()
	var entries []rootfs.Entry
	for _, file := range files {
		entries = append(entries, rootfs.Entry{Path: file[0], Mode: 0o644, Content: []byte(file[1]), Date: time.Unix(1000, 0)})
	}
	var out bytes.Buffer
	if err := Append(&out, 0, compression, entries); err != nil {
		t.Fatal(err)
	}
	return out.Bytes()
}

func TestReadTakesTheLastOfAName(t *testing.T) {
	first, second := [2]string{"init", "old"}, [2]string{"init", "new"}
	for _, test := range []struct {
		name    string
		archive []byte
		last    Compression
	}{
		{"plain and plain", append(archive(t, Plain, first), archive(t, Plain, second)...), Plain},
		{"microcode and gzip", append(archive(t, Plain, first), archive(t, Gzip, second)...), Gzip},
		{"microcode and zstd", append(archive(t, Plain, first), archive(t, Zstd, second)...), Zstd},
		{"gzip and gzip", append(archive(t, Gzip, first), archive(t, Gzip, second)...), Gzip},
		{"zstd and zstd", append(archive(t, Zstd, first), archive(t, Zstd, second)...), Zstd},
		{"gzip, padding and plain", append(append(archive(t, Gzip, first), 0, 0, 0, 0, 0), archive(t, Plain, second)...), Plain},
	} {
		read, err := Read(bytes.NewReader(test.archive))
		if err != nil {
			t.Errorf("%s: %v", test.name, err)
			continue
		}
		content, err := fs.ReadFile(read.Root, "init")
		if err != nil || string(content) != "new" || read.Compression != test.last {
			t.Errorf("%s: %q, %v, compression %s", test.name, content, err, read.Compression)
		}
	}
}

func TestReadRefuses(t *testing.T) {
	whole := archive(t, Plain, [2]string{"init", "x"})
	end := bytes.Index(whole, []byte("TRAILER!!!")) - 110
	for _, test := range []struct {
		name  string
		bytes []byte
		want  error
	}{
		{"nothing", nil, ErrFormat},
		{"zeros", make([]byte, 100), ErrFormat},
		{"xz", []byte("\xfd7zXZ\x00and more"), ErrFormat},
		{"no trailer", whole[:end], ErrTruncated},
		{"half a trailer", whole[:end+50], ErrTruncated},
		{"half a gzip", archive(t, Gzip, [2]string{"init", "x"})[:60], ErrTruncated},
		{"half a zstd", archive(t, Zstd, [2]string{"init", "x"})[:60], ErrTruncated},
		{"junk", append(bytes.Clone(whole), "junk at the end"...), ErrTruncated},
	} {
		if _, err := Read(bytes.NewReader(test.bytes)); !errors.Is(err, test.want) {
			t.Errorf("%s: %v; want %v", test.name, err, test.want)
		}
	}
}

// The kernel looks for a plain archive at multiples of four.
func TestAppendAligns(t *testing.T) {
	for size := range int64(9) {
		var out bytes.Buffer
		if err := Append(&out, size, Plain, []rootfs.Entry{{Path: "a", Mode: 0o644}}); err != nil {
			t.Fatal(err)
		}
		if at := size + int64(strings.Index(out.String(), "070701")); at%4 != 0 {
			t.Errorf("after %d bytes the archive begins at %d", size, at)
		}
	}
}
