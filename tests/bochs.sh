# shellcheck shell=bash
# tests/bochs.sh -- how to start a guest of ours in Bochs; sourced by tests and benchmarks.
#
# Bochs has neither an exit port nor Multiboot: a boot sector (bochs-boot.S) loads
# the guest, and the run is over when the CPU halts with interrupts off, as
# guest_exit() does on a machine without the port.  Debian's Bochs has its
# internal debugger on, so it wants a file of debugger commands: "c", continue.
# $dir is the caller's directory for temporary files.
# shellcheck disable=SC2154

BIOS=/usr/share/bochs/BIOS-bochs-latest VGABIOS=/usr/share/bochs/VGABIOS-lgpl-latest

# bochs_lacks: prints what is missing here, if anything.
bochs_lacks() {
    local tool
    for tool in bochs objcopy nm; do
        if ! command -v $tool >/dev/null; then
            echo "no $tool here; apt install bochs bochsbios vgabios bochs-term binutils"
            return
        fi
    done
}

# bochs_prepare: $dir/boot.bin, the boot sector.
bochs_prepare() {
    ${CC:-gcc} -m32 -c -o "$dir/boot.o" tests/bochs-boot.S &&
        ${CC:-gcc} -m32 -nostdlib -static -Wl,--build-id=none -Wl,-Ttext=0x7c00 -Wl,-e,_start \
            -o "$dir/boot.elf" "$dir/boot.o" &&
        objcopy -O binary -j .text "$dir/boot.elf" "$dir/boot.bin"
}

bochs_word() { printf "\\x$(printf %02x $(($1 & 255)))\\x$(printf %02x $(($1 >> 8 & 255)))\\x$(printf %02x $(($1 >> 16 & 255)))\\x$(printf %02x $(($1 >> 24 & 255)))"; }

# bochs_put AT: standard input into the disk image, from byte AT.
bochs_put() { dd of="$dir/disk.img" bs=1 seek=$(($1)) conv=notrunc status=none; }

# bochs_disk NAME [COMMAND LINE]: $dir/disk.img, 20 MiB: sector, image from
# block 8, zeros (.bss among them).  At most 63 bytes of command line.
bochs_disk() {
    local elf=$BUILD/guests/$1.elf end entry
    rm -f "$dir/disk.img.lock"          # a Bochs that was killed leaves it
    : >"$dir/log"
    truncate -s 0 "$dir/disk.img"
    truncate -s $((20 * 16 * 63 * 512)) "$dir/disk.img"
    if [ -f "$BUILD/guests/$1.bin" ]; then
        bochs_put 0 <"$BUILD/guests/$1.bin"
        return
    fi
    objcopy -O binary "$elf" "$dir/image" || return
    end=$((0x$(nm "$elf" | awk '$3 == "image_end" { print $1 }')))
    entry=$((0x$(nm "$elf" | awk '$3 == "_start" { print $1 }')))
    bochs_put 0 <"$dir/boot.bin"
    printf '%.63s' "$2" | bochs_put 0x170
    { bochs_word $entry; bochs_word $(((end - 0x100000 + 511) / 512)); } | bochs_put 0x1b0
    dd if="$dir/image" of="$dir/disk.img" bs=512 seek=8 conv=notrunc status=none
}

# bochs_start: becomes Bochs, on that disk.  What the guest sends to port 0xE9
# is on standard output behind Bochs's own greeting; $dir/log is its log.
bochs_start() {
    cat >"$dir/bochsrc" <<END
megs: 32
cpu: model=corei7_haswell_4770, ips=200000000
romimage: file=$BIOS
vgaromimage: file=$VGABIOS
ata0-master: type=disk, mode=flat, path=$dir/disk.img, cylinders=20, heads=16, spt=63
boot: disk
clock: sync=none
port_e9_hack: enabled=1
display_library: rfb, options="timeout=0"
log: $dir/log
panic: action=fatal
error: action=report
info: action=report
speaker: enabled=1, mode=none
END
    echo c >"$dir/rc"
    exec bochs -q -f "$dir/bochsrc" -rc "$dir/rc" </dev/null
}
