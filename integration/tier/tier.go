package tier

import (
	"fmt"
	"os"
	"slices"
	"strings"
)

// A Tier is a way to run the test guest, with a host side of its own.
type Tier string

// The tiers, cheapest first.
const (
	Local  Tier = "local"  // no VM: namespaces on this machine's kernel, and a unix socket
	HVSock Tier = "hvsock" // a VM behind a hybrid vsock socket, as Cloud Hypervisor, Firecracker and Dragonball have it
	VHost  Tier = "vhost"  // a VM with KVM behind the kernel's vhost-vsock, as QEMU has it, in a VM that plays the node
)

// All are the tiers, cheapest first.
var All = []Tier{Local, HVSock, VHost}

// Parse returns the tier of that name.
func Parse(name string) (Tier, error) {
	if t := Tier(name); slices.Contains(All, t) {
		return t, nil
	}
	return "", fmt.Errorf("no tier %q: choose among %v", name, All)
}

// ParseList parses names separated by commas.
func ParseList(names string) ([]Tier, error) {
	var list []Tier
	for name := range strings.FieldsFuncSeq(names, func(r rune) bool { return r == ',' }) {
		t, err := Parse(name)
		if err != nil {
			return nil, err
		}
		list = append(list, t)
	}
	return list, nil
}

// RequireVariable lists tiers, separated by commas, whose tests fail where they would be skipped.
const RequireVariable = "KATA_SYSCTL_REQUIRE"

// Required reports whether tests of the tier may not be skipped.
func (t Tier) Required() (bool, error) {
	list, err := ParseList(os.Getenv(RequireVariable))
	if err != nil {
		return false, fmt.Errorf("$%s: %w", RequireVariable, err)
	}
	return slices.Contains(list, t), nil
}

// A test is the part of *testing.T that ends it.
type test interface {
	Helper()
	Fatal(args ...any)
	Skip(args ...any)
}

// Missing ends a test that can't have its tier, with the reason and its cure.
func (t Tier) Missing(from test, reason error) {
	from.Helper()
	switch required, err := t.Required(); {
	case err != nil:
		from.Fatal(err)
	case required:
		from.Fatal("no tier "+t+", which $"+RequireVariable+" asks for: ", reason)
	default:
		from.Skip("no tier "+t+": ", reason)
	}
}
