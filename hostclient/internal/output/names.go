package output

import (
	"strings"

	sysctlv1 "kata-sysctl/proto/sysctl/v1"
)

// Enum values go by their short names. A value that a newer agent knows and this program doesn't goes by its number, as String
// of generated code spells it.

// ScopeName is a scope as tables and JSON spell it.
func ScopeName(s sysctlv1.Scope) string { return strings.TrimPrefix(s.String(), "SCOPE_") }

// StatusName is a status as tables and JSON spell it.
func StatusName(s sysctlv1.Status) string { return strings.TrimPrefix(s.String(), "STATUS_") }

// scopeCell is ScopeName for a table, where a key without scope has none.
func scopeCell(s sysctlv1.Scope) string {
	if s == sysctlv1.Scope_SCOPE_UNSPECIFIED {
		return "-"
	}
	return ScopeName(s)
}
