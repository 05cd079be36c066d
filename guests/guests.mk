# How guests are built: each is one freestanding ELF, build/guests/NAME.elf.
# Needs no multilib and no libgcc; gcc or clang.  See guests/README.md.
#
#   guests32, guests64   guests/NAME.c or .S, Multiboot ELF32
#   guests_real          the same, with a section for real mode
#   guests_both          one source, built as NAME32.elf and NAME64.elf
#   guests_boot          boot sectors, NAME.bin
#   guests_crash         guests/crash/NAME.S, kernels that crash: crash/NAME.elf
#   guests_crash64       the same as plain ELF64 files
#   guests_crash_boot    the same as boot sectors
#   guests_silent        guests/silent/NAME.S, kernels from which nothing is heard
#   ROUNDS=N             for the benchmarks
#
# A 64-bit guest is linked as ELF64 (NAME64.elf64: give that to gdb) and
# wrapped as ELF32, for Multiboot loaders take nothing else.

guests_real := realmode protmode
guests32 := ata hlt hello longmode paging echo timer hypercall epttrap sensitive v86 taskswitch sysenter
guests64 := syscall
guests_both := sse smc faults selfstep preempt strict alignment string ptchurn \
    intmix memcpy pfstorm softint cr3loads
guests_boot := boot bios disk hdboot
guests_silent := uart-busy uart-no-out2 polls-ide polls-apic polls-key loop-cli loop-no-eoi \
    fault-again screen-only
guests_crash := ud2-no-idt divide-no-idt idt-one-short gate-absent gate-data gate-type \
    stack-unmapped tss-ss0-null long-no-idt irq-not-remapped paging-self-unmapped \
    idt-unmapped no-tss int-dpl stack-overflow handler-beyond gdt-garbage \
    long-gate-code32 long-gate-8-bytes long-ist-zero task-gate-no-tss exception-no-gate \
    iret-one-word-off error-code-left handler-returns missing-eoi hlt-no-sti irq-no-gate \
    irq-in-stack-switch no-pae long-code-in-32 nx-not-enabled table-not-aligned cr3-linear \
    gdt-lost lgdt-16-bit user-page sse-off stack-not-aligned null-call bios-call \
    no-granularity iret-rpl multiboot-too-far
guests_crash64 := elf64-code32
guests_crash_boot := jump-bad-selector no-far-jump boot-too-long read-sector-0

GUEST_LIB := trap.S init.c desc.c page.c real.S pic.c pic_show.c print.c string.c test.c \
    hypercall.c
GUEST_DIR := $(BUILD)/guests

GUEST_CFLAGS := -std=gnu11 -O2 -g -Wall -Wextra $(if $(WERROR),-Werror) -Iguests -Isrc \
    -ffreestanding -fno-pic -fno-pie -fno-stack-protector -fno-asynchronous-unwind-tables \
    -fno-strict-aliasing $(if $(ROUNDS),-DROUNDS=$(ROUNDS)) -mgeneral-regs-only -mno-sse -mno-mmx
GUEST_CFLAGS32 := -m32 -march=i686 $(GUEST_CFLAGS)
GUEST_CFLAGS64 := -m64 -mno-red-zone -mcmodel=small $(GUEST_CFLAGS)
GUEST_LDFLAGS := -nostdlib -static -Wl,--build-id=none -Wl,-z,max-page-size=4096
OBJCOPY ?= objcopy

# start.o and of the library what the guest uses.
GUEST_OBJ32 := $(GUEST_DIR)/obj32/lib/start.S.o $(GUEST_DIR)/obj32/libguest.a
GUEST_OBJ64 := $(GUEST_DIR)/obj64/lib/start.S.o $(GUEST_DIR)/obj64/libguest.a

GUEST_ELFS := $(guests_real:%=$(GUEST_DIR)/%.elf) $(guests32:%=$(GUEST_DIR)/%.elf) $(guests64:%=$(GUEST_DIR)/%.elf) \
    $(guests_both:%=$(GUEST_DIR)/%32.elf) $(guests_both:%=$(GUEST_DIR)/%64.elf) \
    $(guests_boot:%=$(GUEST_DIR)/%.bin) $(GUEST_DIR)/elf64.elf \
    $(guests_silent:%=$(GUEST_DIR)/silent/%.elf) \
    $(guests_crash:%=$(GUEST_DIR)/crash/%.elf) $(guests_crash_boot:%=$(GUEST_DIR)/crash/%.bin) \
    $(guests_crash64:%=$(GUEST_DIR)/crash/%.elf) \
    $(GUEST_DIR)/tiny32.elf $(GUEST_DIR)/tiny64.elf

##  guests     build the guests
.PHONY: guests
guests: $(GUEST_ELFS)

$(GUEST_DIR)/obj32/%.o: guests/%
	@mkdir -p $(@D)
	$(CC) $(GUEST_CFLAGS32) -MMD -MP -c -o $@ $<

$(GUEST_DIR)/obj64/%.o: guests/%
	@mkdir -p $(@D)
	$(CC) $(GUEST_CFLAGS64) -MMD -MP -c -o $@ $<

$(GUEST_DIR)/obj32/libguest.a: $(GUEST_LIB:%=$(GUEST_DIR)/obj32/lib/%.o)
$(GUEST_DIR)/obj64/libguest.a: $(filter-out $(GUEST_DIR)/obj64/lib/real.%,$(GUEST_LIB:%=$(GUEST_DIR)/obj64/lib/%.o))
$(GUEST_DIR)/%/libguest.a:
	rm -f $@
	ar rcs $@ $^

# $(call guest_rule32,NAME,SOURCE,LINKER SCRIPT): SOURCE without its suffix, .c or .S as found.
guest_source = $(notdir $(firstword $(wildcard guests/$1.c guests/$1.S)))
define guest_rule32
$(GUEST_DIR)/$1.elf: $(GUEST_DIR)/obj32/$(call guest_source,$2).o $(GUEST_OBJ32) guests/lib/$3
	$$(CC) -m32 $(GUEST_LDFLAGS) -T guests/lib/$3 -o $$@ $$(filter %.o %.a,$$^)
endef
define guest_rule64
$(GUEST_DIR)/$1.elf64: $(GUEST_DIR)/obj64/$(call guest_source,$2).o $(GUEST_OBJ64) guests/lib/link.ld
	$$(CC) -m64 $(GUEST_LDFLAGS) -T guests/lib/link.ld -o $$@ $$(filter %.o %.a,$$^)
$(GUEST_DIR)/$1.elf: $(GUEST_DIR)/$1.elf64
	$$(OBJCOPY) -O elf32-i386 $$< $$@
endef
$(foreach g,$(guests32),$(eval $(call guest_rule32,$g,$g,link.ld)))
$(foreach g,$(guests_real),$(eval $(call guest_rule32,$g,$g,link-real.ld)))
$(foreach g,$(guests64),$(eval $(call guest_rule64,$g,$g)))
$(foreach g,$(guests_both),$(eval $(call guest_rule32,$(g)32,$(g),link.ld)))
$(foreach g,$(guests_both),$(eval $(call guest_rule64,$(g)64,$(g))))

# tiny is three files.
TINY := kernel.c user.c switch.S
$(GUEST_DIR)/tiny32.elf: $(TINY:%=$(GUEST_DIR)/obj32/tiny/%.o) $(GUEST_OBJ32) guests/lib/link.ld
	$(CC) -m32 $(GUEST_LDFLAGS) -T guests/lib/link.ld -o $@ $(filter %.o %.a,$^)
$(GUEST_DIR)/tiny64.elf64: $(TINY:%=$(GUEST_DIR)/obj64/tiny/%.o) $(GUEST_OBJ64) guests/lib/link.ld
	$(CC) -m64 $(GUEST_LDFLAGS) -T guests/lib/link.ld -o $@ $(filter %.o %.a,$^)
$(GUEST_DIR)/tiny64.elf: $(GUEST_DIR)/tiny64.elf64
	$(OBJCOPY) -O elf32-i386 $< $@

# The one guest that is a plain ELF64: with a Multiboot header it would be entered as that says.
$(GUEST_DIR)/obj64/start-plain.o: $(GUEST_DIR)/obj64/lib/start.S.o
	$(OBJCOPY) -R .multiboot $< $@
$(GUEST_DIR)/elf64.elf: $(GUEST_DIR)/obj64/elf64.c.o $(GUEST_DIR)/obj64/start-plain.o \
    $(GUEST_DIR)/obj64/libguest.a guests/lib/link.ld
	$(CC) -m64 $(GUEST_LDFLAGS) -T guests/lib/link.ld -Wl,-e,_start64 -o $@ $(filter %.o %.a,$^)

# A kernel that crashes, or is silent, is one file, without the library.
$(guests_crash:%=$(GUEST_DIR)/crash/%.elf) $(guests_silent:%=$(GUEST_DIR)/silent/%.elf): \
$(GUEST_DIR)/%.elf: $(GUEST_DIR)/obj32/%.S.o guests/lib/link.ld
	@mkdir -p $(@D)
	$(CC) -m32 $(GUEST_LDFLAGS) -T guests/lib/link.ld -o $@ $<

$(guests_crash64:%=$(GUEST_DIR)/crash/%.elf): $(GUEST_DIR)/crash/%.elf: $(GUEST_DIR)/obj64/crash/%.S.o \
    guests/lib/link.ld
	@mkdir -p $(@D)
	$(CC) -m64 $(GUEST_LDFLAGS) -T guests/lib/link.ld -o $@ $<

# Linux's first process, and a RAM disk that holds nothing else: see tests/linux.
$(GUEST_DIR)/linux-init: guests/linux/init.c
	@mkdir -p $(@D)
	$(CC) -std=gnu11 -O2 -g -Wall -Wextra $(if $(WERROR),-Werror) -Isrc -m64 -ffreestanding \
	    -fno-pic -fno-pie -fno-stack-protector -nostdlib -static -Wl,--build-id=none -o $@ $<
$(GUEST_DIR)/linux.cpio: $(GUEST_DIR)/linux-init
	rm -rf $(GUEST_DIR)/linux-root
	mkdir $(GUEST_DIR)/linux-root
	$(OBJCOPY) --strip-debug $< $(GUEST_DIR)/linux-root/init
	cd $(GUEST_DIR)/linux-root && echo init | cpio --quiet -o -H newc > ../linux.cpio

$(GUEST_DIR)/%.bin: guests/%.S
	@mkdir -p $(@D)
	$(CC) -m32 -Iguests -Isrc -g -c -o $(GUEST_DIR)/$*.boot.o $<
	$(CC) -m32 -nostdlib -static -Wl,--build-id=none -Wl,-Ttext=0x7c00 -Wl,-e,_start \
	    -o $(GUEST_DIR)/$*.dbg $(GUEST_DIR)/$*.boot.o
	$(OBJCOPY) -O binary -j .text $(GUEST_DIR)/$*.dbg $@

##  check-guests    run the guests in QEMU, against tests/expected
.PHONY: check-guests
check-guests: guests
	@BUILD=$(BUILD) tests/guests-qemu

##  check-guests-bochs    the same in Bochs, which checks limits and alignment too
.PHONY: check-guests-bochs
check-guests-bochs: guests
	@BUILD=$(BUILD) tests/guests-bochs
