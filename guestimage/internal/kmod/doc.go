// Package kmod finds modules in an unpacked kernel package and says in which order to load them.
//
// Distribution packages carry no modules.dep (depmod makes it on the machine that installs
// them), so dependencies are read from the modules themselves.
package kmod
