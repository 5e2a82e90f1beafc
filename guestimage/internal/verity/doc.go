// Package verity makes and checks the dm-verity hash trees of measured images, with veritysetup, and writes the
// parameters as Kata's configuration has them (kernel_verity_params).
package verity
