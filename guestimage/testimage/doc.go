// Package testimage makes guest images for tests, by the programs that Kata's osbuilder uses or that its users do. It needs root.
package testimage
