package sysctld_test

import (
	"fmt"
	"strings"
	"testing"

	"kata-sysctl/hostclient/internal/sysctld"
)

// show writes lines one by one, with their numbers.
func show(lines []sysctld.Line) string {
	var b strings.Builder
	for _, line := range lines {
		fmt.Fprintf(&b, "%d %s (%s)\n", line.Pos.Line, line, line.Path())
	}
	return b.String()
}

func TestParse(t *testing.T) {
	for _, tt := range []struct{ name, text, want string }{
		{"comments and blanks", "# a=1\n ; b=2\n\n \t\nvm.swappiness=10\n", "5 vm.swappiness = 10 (vm/swappiness)\n"},
		{"no comment behind a value", "kernel.core_pattern=core #1;2\n", "1 kernel.core_pattern = core #1;2 (kernel/core_pattern)\n"},
		{"whitespace", "\t kernel.sem\t=  250 32000\t32 128 \t\r\n", "1 kernel.sem = 250 32000\t32 128 (kernel/sem)\n"},
		{"first = separates", "kernel.domainname=a=b", "1 kernel.domainname = a=b (kernel/domainname)\n"},
		{"empty value", "kernel.core_pattern=\n", "1 kernel.core_pattern =  (kernel/core_pattern)\n"},
		{"may fail", "-vm.x=1\n- vm.y = 2\n", "1 -vm.x = 1 (vm/x)\n2 -vm.y = 2 (vm/y)\n"},
		{"exclusion", "-net.ipv4.conf.all.rp_filter\n", "1 -net.ipv4.conf.all.rp_filter (net/ipv4/conf/all/rp_filter)\n"},
		{"slashes", "net/ipv4/conf/eth0.100/rp_filter=1", "1 net/ipv4/conf/eth0.100/rp_filter = 1 (net/ipv4/conf/eth0.100/rp_filter)\n"},
		{"dots", "net.ipv4.conf.eth0/100.rp_filter=1", "1 net.ipv4.conf.eth0/100.rp_filter = 1 (net/ipv4/conf/eth0.100/rp_filter)\n"},
		{"slashes too many", "/net//core/somaxconn=1", "1 /net//core/somaxconn = 1 (net/core/somaxconn)\n"},
		{"globs", "net.ipv4.conf.*.rp_filter = 2\nnet.ipv4.conf.[!a]?.rp_filter=1", "1 net.ipv4.conf.*.rp_filter = 2 (net/ipv4/conf/*/rp_filter)\n2 net.ipv4.conf.[!a]?.rp_filter = 1 (net/ipv4/conf/[!a]?/rp_filter)\n"},
		{"no continuation", "vm.a=1\\\nvm.b=2", "1 vm.a = 1\\ (vm/a)\n2 vm.b = 2 (vm/b)\n"},
		{"no line break at the end", "vm.a=1", "1 vm.a = 1 (vm/a)\n"},
	} {
		lines, err := sysctld.Parse("f.conf", tt.text)
		if got := show(lines); err != nil || got != tt.want {
			t.Errorf("%s: got %v\n%swant\n%s", tt.name, err, got, tt.want)
		}
	}
}

func TestParseTellsEveryMalformedLine(t *testing.T) {
	lines, err := sysctld.Parse("dir/f.conf", "vm.a=1\nvm swappiness 10\n=1\n-\n-=3\n/ = 1\nvm.b=\xff\nvm.c=\x00\nvm.[=1\nvm.d=2\n")
	want := []string{
		`dir/f.conf:2: "vm swappiness 10": it is no assignment`,
		`dir/f.conf:3: "=1": it has no key`,
		`dir/f.conf:4: "-": it has no key`,
		`dir/f.conf:5: "-=3": it has no key`,
		`dir/f.conf:6: "/ = 1": it has no key`,
		`dir/f.conf:7: "vm.b=\xff": it is not valid UTF-8`,
		`dir/f.conf:8: "vm.c=\x00": it has a NUL byte`,
		`dir/f.conf:9: "vm.[=1": its glob is malformed`,
	}
	if err == nil || len(err.Lines) != len(want) {
		t.Fatalf("got %v, want %d malformed lines", err, len(want))
	}
	for i, line := range err.Lines {
		if !strings.HasPrefix(line.Error(), want[i]) {
			t.Errorf("got %v, want %s…", line, want[i])
		}
	}
	if got := show(lines); got != "1 vm.a = 1 (vm/a)\n10 vm.d = 2 (vm/d)\n" {
		t.Errorf("lines that are well formed: got\n%s", got)
	}
}

func TestParseAnnotation(t *testing.T) {
	const text = "vm.max_map_count=262144; net.core.somaxconn = 4096;\n# a comment; with a semicolon\n-vm.x=1;;\n"
	lines, err := sysctld.ParseAnnotation("annotation", text)
	const want = "1 vm.max_map_count = 262144 (vm/max_map_count)\n1 net.core.somaxconn = 4096 (net/core/somaxconn)\n3 -vm.x = 1 (vm/x)\n"
	if got := show(lines); err != nil || got != want {
		t.Errorf("got %v\n%swant\n%s", err, got, want)
	}
	_, err = sysctld.ParseAnnotation("annotation", "vm.a=1\nvm.b; vm.c=2; d")
	if err == nil || len(err.Lines) != 2 || err.Lines[1].Pos.String() != "annotation:2" || err.Lines[1].Text != "d" {
		t.Errorf("got %v, want two malformed lines", err)
	}
}

func TestJoin(t *testing.T) {
	if err := sysctld.Join(nil, nil); err != nil {
		t.Errorf("nothing is malformed, got %v", err)
	}
	_, a := sysctld.Parse("a", "x")
	_, b := sysctld.Parse("b", "y\nz")
	if err := sysctld.Join(a, nil, b); err == nil || strings.Count(err.Error(), "\n") != 2 {
		t.Errorf("got %v, want three lines", err)
	}
}

// FuzzParse holds that every line is told of once, as read or as malformed, and that what is read is spelled so that it is read again.
func FuzzParse(f *testing.F) {
	for _, seed := range []string{"vm.a=1\n", "-vm.a = 1", "-vm.*", "#;\n;#", "a/b.c=d=e\r\n", "vm.[!a]=", "=\n-\n\x00", "vm.a=1;vm.b=2"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, text string) {
		lines, bad := sysctld.Parse("f", text)
		annotated, _ := sysctld.ParseAnnotation("f", text)
		told := len(lines)
		if bad != nil {
			told += len(bad.Lines)
		}
		if told > strings.Count(text, "\n")+1 {
			t.Fatalf("%d lines told of %q", told, text)
		}
		for _, line := range append(lines, annotated...) {
			again, bad := sysctld.Parse("f", line.String())
			if bad != nil || len(again) != 1 || again[0].String() != line.String() || again[0].Path() != line.Path() {
				t.Fatalf("%q was read as %q, and that as %v, %v", text, line, again, bad)
			}
		}
		sysctld.Resolve(lines, []string{"vm.a", "net.ipv4.conf.eth0/1.x"})
	})
}
