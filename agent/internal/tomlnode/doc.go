// Package tomlnode reads values of go-toml's parser without its decoder, which works by reflection and makes the agent a quarter
// of a MiB larger. Policy and configuration say with it what they expected where.
package tomlnode
