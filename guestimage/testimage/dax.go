package testimage

import (
	"encoding/binary"
	"errors"
	"os"
)

// addDAX puts what osbuilder's set_dax_header writes before an image: another partition table, and the info block by which the kernel knows
// that the image proper begins after 2 MiB.
func addDAX(image, table string) error {
	header := image + ".header"
	if _, err := Shell(`truncate -s "$(($(stat -c %s "$1") + 2097152))" "$2"; printf %s "$3" | sfdisk --quiet "$2"
		truncate -s 2M "$2"`, image, header, table); err != nil {
		return err
	}
	f, err := os.OpenFile(header, os.O_WRONLY, 0)
	if err != nil {
		return err
	}
	_, err = f.WriteAt(infoBlock(), infoBlockStart)
	if err := errors.Join(err, f.Close()); err != nil {
		return err
	}
	_, err = Shell(`cat "$2" "$1" >"$1.dax"; mv "$1.dax" "$1"; rm "$2"`, image, header)
	return err
}

// infoBlockStart is SZ_4K of drivers/nvdimm/pfn_devs.c, nd_pfn_validate.
const infoBlockStart = 4096

// infoBlock is struct nd_pfn_sb of drivers/nvdimm/pfn.h with what osbuilder's nsdax puts into it.
func infoBlock() []byte {
	const (
		size = 4096
		step = 2 * mib // dataoff and align
		ram  = 1       // PFN_MODE_RAM
	)
	block := make([]byte, size)
	le := binary.LittleEndian
	copy(block, "NVDIMM_PFN_INFO")
	le.PutUint16(block[54:], 2) // version_minor
	le.PutUint64(block[56:], step)
	le.PutUint32(block[72:], ram)
	le.PutUint32(block[84:], step)
	le.PutUint64(block[size-8:], fletcher64(block))
	return block
}

// fletcher64 is nd_fletcher64 of drivers/nvdimm/core.c.
func fletcher64(block []byte) uint64 {
	var low uint32
	var high uint64
	for i := 0; i < len(block); i += 4 {
		low += binary.LittleEndian.Uint32(block[i:])
		high += uint64(low)
	}
	return high<<32 | uint64(low)
}
