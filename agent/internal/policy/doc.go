// Package policy decides which settings may be applied: ordered rules, the first that matches decides, and what no rule
// matches is denied.
//
// It is pure. A policy file is parsed strictly: an unknown field, a bad pattern or a rule that can't work is an error, and an
// agent without a valid policy does not start.
package policy
