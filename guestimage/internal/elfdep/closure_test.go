package elfdep

import (
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"testing"
)

// compile makes small programs and libraries; without a compiler there is nothing to read.
func compile(t *testing.T, args ...string) {
	t.Helper()
	compiler, err := exec.LookPath("gcc")
	if err != nil {
		t.Skip("no C compiler; run as root: go run ./integration/setup")
	}
	if output, err := exec.Command(compiler, args...).CombinedOutput(); err != nil {
		t.Fatalf("gcc %v: %v\n%s", args, err, output)
	}
}

// world is two unpacked packages: liba in one needs libb in the other.
func world(t *testing.T) (program string, roots []string) {
	t.Helper()
	dir := t.TempDir()
	source := filepath.Join(dir, "f.c")
	if err := os.WriteFile(source, []byte("int f(void) { return 0; }\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	one, two := filepath.Join(dir, "one"), filepath.Join(dir, "two")
	oneLib, twoLib := filepath.Join(one, "usr/lib/x86_64-linux-gnu"), filepath.Join(two, "lib") // merged /usr, and not
	loader := filepath.Join(two, "lib64/ld-test.so.1")
	for _, sub := range []string{oneLib, twoLib, filepath.Dir(loader)} {
		if err := os.MkdirAll(sub, 0o755); err != nil {
			t.Fatal(err)
		}
	}
	library := []string{"-nostdlib", "-shared", "-fPIC"}
	compile(t, append(library, "-Wl,-soname,libb.so.2", source, "-o", filepath.Join(twoLib, "libb.so.2.1"))...)
	if err := os.Symlink("libb.so.2.1", filepath.Join(twoLib, "libb.so.2")); err != nil {
		t.Fatal(err)
	}
	compile(t, append(library, "-Wl,-soname,liba.so.1", "-Wl,--no-as-needed", source, filepath.Join(twoLib, "libb.so.2"), "-o", filepath.Join(oneLib, "liba.so.1"))...)
	compile(t, append(library, source, "-o", loader)...)
	program = filepath.Join(dir, "program")
	compile(t, "-nostdlib", "-pie", "-fPIC", "-Wl,-e,f", "-Wl,--no-as-needed", "-Wl,--allow-shlib-undefined", "-Wl,-dynamic-linker,/lib64/ld-test.so.1",
		"-Wl,-rpath-link,"+twoLib, source, filepath.Join(oneLib, "liba.so.1"), "-o", program)
	return program, []string{one, two}
}

func TestClosure(t *testing.T) {
	program, roots := world(t)
	files, err := Closure(program, roots)
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, f := range files {
		got = append(got, f.Path)
		if _, err := os.Stat(f.Source); err != nil {
			t.Error(err)
		}
	}
	want := []string{"/lib/libb.so.2", "/lib/x86_64-linux-gnu/liba.so.1", "/lib64/ld-test.so.1"}
	if !slices.Equal(got, want) {
		t.Errorf("Closure = %v; want %v", got, want)
	}
}

func TestMissingLibrary(t *testing.T) {
	program, roots := world(t)
	if _, err := Closure(program, roots[1:]); !errors.Is(err, ErrNotFound) {
		t.Errorf("Closure without liba: %v; want ErrNotFound", err)
	}
}

func TestLinkOutOfRoot(t *testing.T) {
	program, roots := world(t)
	library := filepath.Join(roots[0], "usr/lib/x86_64-linux-gnu/liba.so.1")
	outside := filepath.Join(t.TempDir(), "liba.so.1")
	if err := errors.Join(os.Rename(library, outside), os.Symlink(outside, library)); err != nil {
		t.Fatal(err)
	}
	if files, err := Closure(program, roots); err == nil {
		t.Errorf("Closure followed a link out of its root: %v", files)
	}
}
