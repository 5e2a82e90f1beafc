// Package payload is what a bake puts into a guest: the agent, its unit and, if asked, a policy.
package payload
