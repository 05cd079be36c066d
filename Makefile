# Vitrine.  `make` alone lists the verbs.  Objects are listed by layer, in
# reading order; a file not listed here is not part of the program.
.DEFAULT_GOAL := help

CC      ?= gcc
BUILD   ?= build
OPT     ?= -O2
WERROR  ?=
PREFIX  ?= /usr/local
WARN    := -Wall -Wextra -Wpedantic $(if $(WERROR),-Werror)
# SAN=1: AddressSanitizer and UBSan.  HARD=1: tiny caches, where bugs have a chance.
ifdef SAN
OPT     := -O1 -fsanitize=address,undefined -fno-sanitize-recover=all -fno-omit-frame-pointer
endif
ifdef HARD
HARDDEF := -DVITRINE_HARD
endif
CFLAGS  ?=
ALL_CFLAGS = -std=gnu11 $(OPT) -g $(WARN) $(HARDDEF) -D_GNU_SOURCE -Isrc $(CFLAGS)
LDLIBS  := -lreadline -lZydis -lelf -ldw -lzstd -lncursesw -ltinfo -lcjson -lpthread

base := \
    base/host.c \
    base/trace.c \
    base/vclock.c \
    base/likeness.c \
    base/bytes.c \
    base/saved.c \
    base/sandbox.c
mem := \
    mem/gmem.c \
    mem/walk.c \
    mem/linear.c \
    mem/hmem.c \
    mem/ept_walk.c \
    mem/shadow_walk.c \
    mem/nested.c \
    mem/dirty.c \
    mem/shadow_page.c \
    mem/shadow.c \
    mem/shadow_save.c \
    mem/shadow_check.c
cpu := \
    cpu/cpuid.c \
    cpu/controls.c \
    cpu/engine.c \
    cpu/vcpu_trace.c \
    cpu/regs.c \
    cpu/kvm/kvm.c \
    cpu/kvm/exits.c \
    cpu/kvm/debug.c \
    cpu/kvm/step.c \
    cpu/kvm/insn.c \
    cpu/kvm/state.c \
    cpu/kvm/save.c \
    cpu/kvm/dirty.c \
    cpu/kvm/pager.c \
    cpu/kvm/setup.c \
    cpu/kvm/probe.c \
    cpu/exit.c \
    cpu/exit_text.c \
    cpu/delivery.c \
    cpu/state.c \
    cpu/accesses.c \
    cpu/decode.c \
    cpu/soft/soft.c \
    cpu/soft/state.c \
    cpu/soft/run.c \
    cpu/soft/raise.c \
    cpu/soft/exits.c \
    cpu/soft/mode.c \
    cpu/soft/debug.c \
    cpu/soft/insn_log.c \
    cpu/soft/save.c \
    cpu/soft/block.c \
    cpu/soft/code_page.c \
    cpu/soft/tlb.c \
    cpu/soft/memory_operand.c \
    cpu/soft/flags.c \
    cpu/soft/build_block.c \
    cpu/soft/choose.c \
    cpu/soft/ops/alu.c \
    cpu/soft/ops/move.c \
    cpu/soft/ops/branch.c \
    cpu/soft/ops/stack.c \
    cpu/soft/ops/shift.c \
    cpu/soft/ops/bits.c \
    cpu/soft/ops/muldiv.c \
    cpu/soft/ops/string.c \
    cpu/soft/ops/atomic.c \
    cpu/soft/ops/misc.c \
    cpu/soft/ops/bcd.c \
    cpu/soft/ops/x87.c \
    cpu/soft/ops/x87_env.c \
    cpu/soft/ops/sse_table.c \
    cpu/soft/ops/sse.c \
    cpu/soft/system/fxsave.c \
    cpu/soft/system/segment.c \
    cpu/soft/system/far.c \
    cpu/soft/system/task.c \
    cpu/soft/system/deliver.c \
    cpu/soft/system/undelivered.c \
    cpu/soft/system/int.c \
    cpu/soft/system/iret.c \
    cpu/soft/system/control_regs.c \
    cpu/soft/system/debug_regs.c \
    cpu/soft/system/table_regs.c \
    cpu/soft/system/privileged.c \
    cpu/soft/system/msr.c \
    cpu/soft/system/syscall.c \
    cpu/soft/system/port.c \
    cpu/soft/system/table.c \
    cpu/soft/conclude.c \
    cpu/soft/one_insn.c
io := \
    io/device.c \
    io/bus.c \
    io/irq_net.c \
    io/pic.c \
    io/pit_channel.c \
    io/pit.c \
    io/rtc_clock.c \
    io/rtc.c \
    io/uart_line.c \
    io/uart.c \
    io/vga.c \
    io/vga_text.c \
    io/keyboard.c \
    io/known_places.c \
    io/overlay.c \
    io/disk.c \
    io/ata_identify.c \
    io/ata_command.c \
    io/ata.c \
    io/i8042.c \
    io/sysport.c \
    io/debug_exit.c \
    io/pcihost.c
vm := \
    vm/load.c \
    vm/load_place.c \
    vm/load_enter.c \
    vm/load_elf.c \
    vm/load_multiboot_header.c \
    vm/load_multiboot.c \
    vm/load_multiboot2.c \
    vm/load_linux.c \
    vm/load_flat.c \
    vm/load_rom.c \
    vm/load_boot.c \
    vm/load_bios.c \
    vm/dma.c \
    vm/pc.c \
    vm/crash_replay.c \
    vm/exits.c \
    vm/hypercall.c \
    vm/vm.c \
    vm/time_source.c \
    vm/interrupts.c \
    vm/guest_exited.c \
    vm/loop.c \
    vm/stuck.c \
    vm/state.c \
    vm/snapshot.c \
    vm/live_flags.c \
    vm/lockstep.c \
    vm/input_log.c \
    vm/host_io.c \
    vm/listening.c \
    vm/recording.c \
    vm/pages.c \
    vm/checkpoint.c
debugger := \
    debugger/symbols/symbols.c \
    debugger/symbols/save_elf.c \
    debugger/symbols/kallsyms.c \
    debugger/symbols/lines.c \
    debugger/symbols/nearby.c \
    debugger/symbols/line_table.c \
    debugger/symbols/debuginfo.c \
    debugger/symbols/type.c \
    debugger/symbols/type_parse.c \
    debugger/symbols/location.c \
    debugger/symbols/frame.c \
    debugger/symbols/orc.c \
    debugger/symbols/value.c \
    debugger/symbols/expr_name.c \
    debugger/symbols/expr_op.c \
    debugger/symbols/expr.c \
    debugger/symbols/disasm.c \
    debugger/symbols/gdb_regs.c \
    debugger/symbols/guest_file.c \
    debugger/trace/drain.c \
    debugger/trace/ring.c \
    debugger/trace/index.c \
    debugger/trace/columns.c \
    debugger/trace/file.c \
    debugger/trace/summary.c \
    debugger/trace/writer.c \
    debugger/trace/field.c \
    debugger/trace/filter_parse.c \
    debugger/trace/filter.c \
    debugger/trace/store.c \
    debugger/trace/futures.c \
    debugger/trace/store_search.c \
    debugger/trace/stuck_text.c \
    debugger/trace/text.c \
    debugger/trace/repeats.c \
    debugger/trace/why.c \
    debugger/report/explain.c \
    debugger/report/explain_bios.c \
    debugger/report/explain_chain.c \
    debugger/report/explain_delivered.c \
    debugger/report/explain_fold.c \
    debugger/report/explain_gates.c \
    debugger/report/explain_page.c \
    debugger/report/explain_cause.c \
    debugger/report/explain_page_fault.c \
    debugger/report/explain_segment.c \
    debugger/report/explain_lost.c \
    debugger/report/explain_way.c \
    debugger/report/explain_stack.c \
    debugger/report/explain_refusal.c \
    debugger/report/last_words.c \
    debugger/report/tally.c \
    debugger/report/histogram.c \
    debugger/report/diff.c \
    debugger/report/export_chrome.c \
    debugger/report/export_ctf.c \
    debugger/report/causes.c \
    debugger/report/gather.c \
    debugger/report/palette.c \
    debugger/report/page.c \
    debugger/report/report.c \
    debugger/report/stuck_rows.c \
    debugger/report/stat.c \
    debugger/report/story.c \
    debugger/vmm/condition.c \
    debugger/vmm/stops.c \
    debugger/vmm/stops_hit.c \
    debugger/vmm/stops_touch.c \
    debugger/vmm/reverse.c \
    debugger/vmm/reverse_insns.c \
    debugger/vmm/reverse_exits.c \
    debugger/vmm/reverse_go.c \
    debugger/vmm/reverse_pass.c \
    debugger/vmm/control.c \
    debugger/vmm/vmm.c \
    debugger/vmm/start.c \
    debugger/vmm/hooks.c \
    debugger/vmm/serve.c \
    debugger/vmm/wire.c \
    debugger/vmm/gdb_agent.c \
    debugger/link/linear_map.c \
    debugger/link/start.c \
    debugger/link/link.c \
    debugger/link/ask.c \
    debugger/link/memory.c \
    debugger/link/explain.c \
    debugger/link/monitor_step.c \
    debugger/link/table_diff.c \
    debugger/console/command.c \
    debugger/console/args.c \
    debugger/console/help.c \
    debugger/console/complete.c \
    debugger/console/run.c \
    debugger/console/back.c \
    debugger/console/break.c \
    debugger/console/look.c \
    debugger/console/walk.c \
    debugger/console/registers.c \
    debugger/console/memory.c \
    debugger/console/value.c \
    debugger/console/display.c \
    debugger/console/frame.c \
    debugger/console/source.c \
    debugger/console/monitor.c \
    debugger/console/symbols.c \
    debugger/console/info.c \
    debugger/console/disk.c \
    debugger/console/idt.c \
    debugger/console/trace.c \
    debugger/gdb/packet.c \
    debugger/gdb/stub.c \
    debugger/gdb/run.c \
    debugger/gdb/break.c \
    debugger/gdb/memory.c \
    debugger/gdb/scratch.c \
    debugger/gdb/query.c \
    debugger/gdb/server.c \
    debugger/tui/term.c \
    debugger/tui/guard.c \
    debugger/tui/rows.c \
    debugger/tui/survey.c \
    debugger/tui/tui.c \
    debugger/tui/key.c \
    debugger/tui/help.c \
    debugger/tui/prompt.c \
    debugger/tui/command.c \
    debugger/tui/search.c \
    debugger/tui/layout.c \
    debugger/tui/live.c \
    debugger/tui/step_monitor.c \
    debugger/tui/events.c \
    debugger/tui/causes.c \
    debugger/tui/why.c \
    debugger/tui/stat.c \
    debugger/tui/guest.c \
    debugger/tui/past.c \
    debugger/tui/paging.c \
    debugger/tui/walk.c \
    debugger/tui/memory.c \
    debugger/tui/breaks.c \
    debugger/tui/screen.c \
    debugger/tui/monitor.c \
    debugger/tui/timeline.c \
    debugger/tui/devices.c \
    debugger/tui/serial.c
lab := \
    lab/wire.c \
    lab/crash_note.c \
    lab/jail.c \
    lab/cut.c \
    lab/build.c \
    lab/mend.c \
    lab/line.c \
    lab/spec.c \
    lab/pass.c \
    lab/rule.c \
    lab/suffix.c \
    lab/ending.c \
    lab/run.c \
    lab/kept.c \
    lab/grade.c \
    lab/grade_print.c \
    lab/sign.c \
    lab/similar.c \
    lab/class_table.c
exercise := \
    exercise/sheet.c \
    exercise/print.c \
    exercise/gift.c \
    exercise/list.c \
    exercise/tiny_guest.c \
    exercise/tiny_listing.c \
    exercise/layers.c \
    exercise/classify.c \
    exercise/theorem.c \
    exercise/counterexample.c \
    exercise/map.c \
    exercise/stack_vm.c \
    exercise/stack_translate.c \
    exercise/rv32.c \
    exercise/program.c \
    exercise/process_vm.c \
    exercise/exits.c \
    exercise/trace.c \
    exercise/walk.c \
    exercise/walk_2d.c \
    exercise/shadow.c \
    exercise/ept_saves.c \
    exercise/pic.c \
    exercise/pit.c \
    exercise/storm.c \
    exercise/disk.c \
    exercise/balloon.c \
    exercise/stride.c \
    exercise/credit.c \
    exercise/consolidate.c \
    exercise/precopy.c \
    exercise/qos.c
cmd := \
    cmd/lab.c \
    cmd/lab_find.c \
    cmd/lab_mistaken.c \
    cmd/exercise.c \
    cmd/lab_try.c \
    cmd/lab_class.c \
    cmd/lab_teacher.c \
    cmd/options.c \
    cmd/disks.c \
    cmd/foreign.c \
    cmd/names.c \
    cmd/terminal.c \
    cmd/hints.c \
    cmd/log_faults.c \
    cmd/paginate.c \
    cmd/session.c \
    cmd/session_gdb.c \
    cmd/gdb.c \
    cmd/run.c \
    cmd/replay.c \
    cmd/debug.c \
    cmd/engines.c \
    cmd/doctor.c \
    cmd/compare.c \
    cmd/trace.c \
    cmd/stat.c \
    cmd/trace_diff.c \
    cmd/report.c \
    cmd/tui.c

SOURCES := $(addprefix src/,$(base) $(mem) $(cpu) $(io) $(vm) $(debugger) $(lab) $(exercise) $(cmd))
MAIN    := src/cmd/main.c
# Assembly that is data to us: the 16-bit code of our BIOS.
ASM     := vm/bios.S cpu/soft/ops/x87_host.S debugger/gdb/embedded_scripts.S cpu/soft/ops/sse_host.S
OBJECTS := $(SOURCES:src/%.c=$(BUILD)/obj/%.o) $(ASM:%.S=$(BUILD)/obj/%.o)
HEADERS := $(shell find src -name '*.h')

# Unit tests: each a cmocka program tests/unit/test_NAME.c, linked with everything but main.
UNIT_TESTS := \
    test_soft \
    test_soft_sys \
    test_refusal \
    test_explain \
    test_untouched \
    test_soft_exits \
    test_one_insn \
    test_x87 \
    test_sse \
    test_bus \
    test_irq_net \
    test_dma \
    test_debug_exit \
    test_ata \
    test_pc \
    test_device \
    test_rtc \
    test_i8042 \
    test_vga \
    test_sysport \
    test_uart \
    test_pit \
    test_pic \
    test_kvm \
    test_kvm_snapshot \
    test_cpuid \
    test_nested \
    test_walk \
    test_shadow \
    test_dirty \
    test_gmem \
    test_load \
    test_vm \
    test_snapshot \
    test_saved \
    test_back_by_exit \
    test_reverse \
    test_exit \
    test_trace \
    test_vclock \
    test_trace_file \
    test_stat \
    test_repeats \
    test_trace_text \
    test_filter \
    test_report \
    test_futures \
    test_store \
    test_link \
    test_lab \
    test_linear_map \
    test_gdb_packet \
    test_gdb \
    test_table_diff \
    test_logged_by \
    test_stops \
    test_expr \
    test_monitor_step
UNIT_BINS := $(UNIT_TESTS:%=$(BUILD)/tests/%)

# Guests: see guests/README.md.
include guests/guests.mk
include lab/lab.mk
include lab/course.mk
include slides/slides.mk
include tests/fuzz/fuzz.mk
include tests/judge/judge.mk

.PHONY: all
all: $(BUILD)/vitrine guests labs

$(BUILD)/vitrine: $(BUILD)/obj/cmd/main.o $(BUILD)/libvitrine.a
	$(CC) $(ALL_CFLAGS) -o $@ $^ $(LDLIBS)

$(BUILD)/libvitrine.a: $(OBJECTS)
	rm -f $@
	ar rcs $@ $^

# Gathering the three words of the lazy flags in a vector register costs more than storing them.
$(BUILD)/obj/cpu/soft/%.o: OPT += -fno-tree-slp-vectorize
# Functions begin with a cache line where guests spend their time: else a change anywhere moves
# all behind it, and some guest gets 4 % slower or faster.
$(BUILD)/obj/cpu/soft/%.o $(BUILD)/obj/mem/%.o $(BUILD)/obj/vm/%.o $(BUILD)/obj/base/%.o $(BUILD)/obj/cpu/%.o: OPT += -falign-functions=64

$(BUILD)/obj/%.o: src/%.c
	@mkdir -p $(@D)
	$(CC) $(ALL_CFLAGS) -MMD -MP -c -o $@ $<

$(BUILD)/obj/%.o: src/%.S
	@mkdir -p $(@D)
	$(CC) $(ALL_CFLAGS) -MMD -MP -c -o $@ $<

$(BUILD)/obj/debugger/gdb/embedded_scripts.o: src/debugger/gdb/printers.py src/debugger/gdb/vitrine.py

$(BUILD)/tests/%: tests/unit/%.c $(BUILD)/libvitrine.a
	@mkdir -p $(@D)
	$(CC) $(ALL_CFLAGS) -MMD -MP -o $@ $< $(BUILD)/libvitrine.a $(LDLIBS) -lcmocka

# Presses keys at random: tests/robot/run.
$(BUILD)/tests/robot: tests/robot/robot.c tests/robot/pty.h
	@mkdir -p $(@D)
	$(CC) $(ALL_CFLAGS) -I. -o $@ $<

-include $(shell find $(BUILD) -name '*.d' 2>/dev/null)

PACKAGES := gcc make libzydis-dev libelf-dev libdw-dev libzstd-dev libncurses-dev libreadline-dev \
    libcmocka-dev libunicorn-dev libcjson-dev patch cppcheck clang clang-format libclang-rt-14-dev \
    qemu-system-x86 bochs bochs-term bochsbios vgabios memtest86+ busybox-static cpio \
    openssl gdb gdbserver lldb tmux babeltrace2 hyperfine pandoc man-db mandoc

##  deps       install the Debian packages that building and testing need
.PHONY: deps
deps:
	@missing=$$(for p in $(PACKAGES); do dpkg -s $$p >/dev/null 2>&1 || echo $$p; done); \
	if [ -z "$$missing" ]; then echo "all packages are there"; \
	elif [ "$$(id -u)" = 0 ]; then \
	    apt-get update -q && DEBIAN_FRONTEND=noninteractive apt-get install -qy --no-install-recommends $$missing; \
	else sudo apt-get update -q && sudo apt-get install -qy --no-install-recommends $$missing; fi
	@tests/kvm-sim/kernel || echo "without it tests/kvm-sim and tests/linux are skipped"

##  run        run a guest of ours and show every exit as it happens
.PHONY: run
run: all
	$(BUILD)/vitrine run --trace - $(BUILD)/guests/hello.elf

# Suites run side by side, started in this order: what takes long comes first.  Those with
# a short form have it in `make check`; each says what it leaves to `make check-all`.
# One more than there are processors: some wait for a terminal most of the time.
JOBS     ?= $(shell nproc)
SUITES_AT_A_TIME = $(shell expr $(JOBS) + 1)
TINY     := $(SAN)$(HARD)
WIDE     := tests/gdb tests/tui tests/matrix tests/trace tests/report tests/gdbpair tests/kvm-debug \
    tests/reverse "tests/lockstep soft/nested kvm" tests/debug tests/signals tests/robot/run \
    tests/lockstep tests/exit-on tests/stories tests/crash tests/boot tests/disk tests/places tests/mistakes tests/silence tests/deterministic tests/self tests/usage tests/lab/told tests/lab/handouts tests/exercise/run tests/slides $(UNIT_BINS)
SHORT    := tests/lab/run $(if $(TINY),,tests/fuzz-short "tests/kvm-sim/run --short" "tests/memtest --short" "tests/linux --short") tests/static \
    "$(JUDGE) --cases $(if $(TINY),20000,100000)" "$(JUDGE) --silicon --vendor amd --cases 10000"
LONG     := tests/lab/run "tests/static --long" $(if $(TINY),,tests/memtest tests/kvm-sim/run tests/linux tests/fuzz-short tests/kernel-session) \
    "$(JUDGE) --cases $(if $(TINY),20000,$(JUDGE_CASES))" "$(JUDGE) --silicon --vendor amd --cases 500000"
RUN_JOBS  = $(if $(filter -j%,$(MAKEFLAGS)),,-j$(JOBS))

##  check      build everything and run every test in its short form (minutes); see doc/testing.md
.PHONY: check check-all tested
tested: all $(UNIT_BINS) $(BUILD)/tests/robot $(JUDGE) $(BUILD)/guests/linux.cpio
check:
	@+$(MAKE) --no-print-directory $(RUN_JOBS) tested
	BUILD=$(BUILD) tests/run -j $(SUITES_AT_A_TIME) $(SHORT) $(WIDE)

##  check-all  the same with every suite in its long form (half an hour)
check-all:
	@+$(MAKE) --no-print-directory $(RUN_JOBS) tested
	BUILD=$(BUILD) tests/run -j $(SUITES_AT_A_TIME) $(LONG) $(WIDE)

##  check-kvm-sim   the kvm tests on a complete KVM, inside QEMU (a minute)
.PHONY: check-kvm-sim
check-kvm-sim: all $(BUILD)/tests/test_kvm $(BUILD)/tests/test_kvm_snapshot $(BUILD)/tests/test_back_by_exit
	tests/kvm-sim/kernel
	tests/kvm-sim/run $(BUILD)

##  unit       run the unit tests
.PHONY: unit
unit: $(UNIT_BINS)
	@for t in $^; do $$t || exit 1; done

##  check-headers   compile each header alone
.PHONY: check-headers
check-headers:
	@for h in $(HEADERS); do \
	    printf "#include \"%s\"\nextern int alone;\n" "$${h#src/}" | $(CC) $(ALL_CFLAGS) -Werror -fsyntax-only -x c - || exit 1; done
	@echo "ok: $(words $(HEADERS)) headers stand alone"

##  check-layers    no file includes upward or sideways
.PHONY: check-layers
check-layers:
	@scripts/check-layers

include bench/bench.mk

.PHONY: help
help:
	@echo "make VERB, where VERB is one of"; sed -n 's/^##//p' $(MAKEFILE_LIST)

##  check-linux     Debian's kernel up to user space on soft, four boots; LINUX=FILE names another (minutes)
.PHONY: check-linux
check-linux: all $(BUILD)/guests/linux.cpio
	BUILD=$(BUILD) tests/run tests/linux tests/kernel-session

##  check-kernel-session  a debugging session over Debian's kernel: page-fault handler, its callers, user space, back (a minute)
.PHONY: check-kernel-session
check-kernel-session: all $(BUILD)/guests/linux.cpio
	BUILD=$(BUILD) tests/run tests/kernel-session

##  check-memtest   Debian's memtest86+, tests #0 to #9: soft, and kvm in the test bed (10 minutes)
.PHONY: check-memtest
check-memtest: all $(BUILD)/tests/test_kvm $(BUILD)/tests/test_kvm_snapshot $(BUILD)/tests/test_back_by_exit
	BUILD=$(BUILD) KVM_SIM_MEMTEST=1 KVM_SIM_SECONDS=1500 tests/run tests/memtest tests/kvm-sim/run

##  check-san  the quick suites under AddressSanitizer and UBSan
.PHONY: check-san
check-san:
	$(MAKE) check SAN=1 BUILD=build/san

##  hard       the same suites with tiny caches, where bugs have a chance
.PHONY: hard
hard:
	$(MAKE) check HARD=1 SAN=1 BUILD=build/hard

##  robot      10,000 random keys and 1,000 resizes on the TUI, with the sanitizers (minutes)
.PHONY: robot
robot:
	$(MAKE) all build/san/tests/robot SAN=1 BUILD=build/san
	BUILD=build/san tests/robot/run 10000 1000

##  kills      kill -9 a recording run at 1,000 random moments: nothing is lost
.PHONY: kills
kills: $(BUILD)/tests/test_trace_file
	KILLS=1000 $(BUILD)/tests/test_trace_file

##  install    to PREFIX, default /usr/local
.PHONY: install
install: all
	install -D -m755 $(BUILD)/vitrine $(DESTDIR)$(PREFIX)/bin/vitrine
	install -D -m644 doc/vitrine.1 $(DESTDIR)$(PREFIX)/share/man/man1/vitrine.1
	install -d $(DESTDIR)$(PREFIX)/share/bash-completion/completions $(DESTDIR)$(PREFIX)/share/zsh/site-functions
	scripts/completion bash $(BUILD)/vitrine >$(DESTDIR)$(PREFIX)/share/bash-completion/completions/vitrine
	scripts/completion zsh $(BUILD)/vitrine >$(DESTDIR)$(PREFIX)/share/zsh/site-functions/_vitrine
	install -D -m644 src/debugger/gdb/printers.py $(DESTDIR)$(PREFIX)/share/vitrine/printers.py
	install -d $(DESTDIR)$(PREFIX)/share/vitrine/guests
	install -m644 $(GUEST_ELFS) $(DESTDIR)$(PREFIX)/share/vitrine/guests

##  screens    take the pictures in README.md and doc/ anew
.PHONY: screens
screens: all
	@BUILD=$(BUILD) scripts/doc-screens

##  book       print the source in reading order (doc/reading.list)
.PHONY: book
book:
	@scripts/book || [ $$? -eq 141 ]    # 141: the reader has enough, as head(1) has

##  clean      remove what was built
.PHONY: clean
clean:
	rm -rf $(BUILD)
