// Package tier names the tiers of the VM tests, and says which of them a run may not do without.
package tier
