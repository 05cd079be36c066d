# Fuzzing, with clang's libFuzzer.  A target is tests/fuzz/fuzz_NAME.c; list it
# in FUZZ_TARGETS.  Everything it calls is built again with the sanitizers.
# Seeds, if any, are in tests/fuzz/seeds/NAME/, short ones; long inputs that are run
# first, as they are, in NAME.once/.  What the fuzzer finds on its way is kept under
# $(BUILD)/fuzz and never committed.
FUZZ_TARGETS := \
    fuzz_devices \
    fuzz_ata \
    fuzz_load \
    fuzz_soft \
    fuzz_trace_file \
    fuzz_filter \
    fuzz_lockstep \
    fuzz_snapshot \
    fuzz_console \
    fuzz_dwarf \
    fuzz_gdb \
    fuzz_wire \
    fuzz_link

FUZZ_SECONDS ?= 20
FUZZ_CC      ?= clang
# A null pointer's use is found by address, too; a word that is not aligned, by make check-san.
FUZZ_SAN     := -fsanitize=fuzzer-no-link,address,undefined -fno-sanitize-recover=all \
                -fno-sanitize=null,alignment -fsanitize-address-use-after-return=never
# A sanitizer's report needs functions and lines, no types: they took a quarter of the build.
FUZZ_CFLAGS  = $(ALL_CFLAGS) -gline-tables-only -DVITRINE_SMALL
FUZZ_BINS    := $(FUZZ_TARGETS:%=$(BUILD)/fuzz/%)
# Rooms that no target enters: they would be built for nothing, twice.
FUZZ_NEVER   := $(foreach d,cmd debugger/tui lab exercise,$(BUILD)/obj/$d/%)
FUZZ_OBJECTS := $(patsubst $(BUILD)/obj/%,$(BUILD)/fuzz/obj/%,$(filter-out $(FUZZ_NEVER),$(OBJECTS)))

# What the CPU, the devices, the run loop, the columns of a trace and the stub with its link compare
# is not told to the mutator: that took half of the time, and their numbers are short enough to be
# met by chance.  Nor where their indirect calls go, and how deep their stack is.
UNTOLD := $(filter $(foreach d,base cpu mem io debugger/trace debugger/vmm debugger/link debugger/gdb vm, \
    $(BUILD)/fuzz/obj/$d/%),$(FUZZ_OBJECTS))
UNTOLD := $(filter-out $(foreach f,load snapshot recording input_log,$(BUILD)/fuzz/obj/vm/$f%),$(UNTOLD))
$(UNTOLD): FUZZ_SAN += -fno-sanitize-coverage=trace-cmp,indirect-calls,stack-depth

$(BUILD)/fuzz/obj/%.o: src/%.c tests/fuzz/fuzz.mk
	@mkdir -p $(@D)
	$(FUZZ_CC) $(FUZZ_CFLAGS) $(FUZZ_SAN) -MMD -MP -c -o $@ $<

$(BUILD)/fuzz/obj/%.o: src/%.S
	@mkdir -p $(@D)
	$(FUZZ_CC) $(ALL_CFLAGS) -c -o $@ $<

$(BUILD)/fuzz/libvitrine.a: $(FUZZ_OBJECTS)
	rm -f $@
	ar rcs $@ $^

# Two targets watch their own rooms only: the code of all others is built without sanitizers and
# without coverage, for it has targets of its own.  That is worth its build where many inputs run.
# For tests/fuzz-short (FUZZ_SHORT=1) a target only leaves out what it runs most.
ROOMS_gdb        := $(if $(FUZZ_SHORT),debugger cpu/soft/ops cpu/kvm,debugger/gdb debugger/vmm debugger/link)
ROOMS_trace_file := debugger/trace debugger/report
WATCHERS         := gdb $(if $(FUZZ_SHORT),,trace_file)
in_rooms = $(filter $(ROOMS_$1:%=$(BUILD)/fuzz/obj/%/%),$(FUZZ_OBJECTS))
beside   = $(patsubst $(BUILD)/fuzz/obj/%,$(BUILD)/fuzz/plain/%,$(filter-out $(in_rooms),$(FUZZ_OBJECTS)))

$(BUILD)/fuzz/plain/%.o: src/%.c tests/fuzz/fuzz.mk
	@mkdir -p $(@D)
	$(FUZZ_CC) $(FUZZ_CFLAGS) -MMD -MP -c -o $@ $<

$(BUILD)/fuzz/plain/%.o: src/%.S
	@mkdir -p $(@D)
	$(FUZZ_CC) $(ALL_CFLAGS) -c -o $@ $<

$(BUILD)/fuzz/fuzz_%: tests/fuzz/fuzz_%.c tests/fuzz/fuzz.mk $(BUILD)/fuzz/libvitrine.a
	@mkdir -p $(@D)
	$(FUZZ_CC) $(FUZZ_CFLAGS) $(FUZZ_SAN) -fsanitize=fuzzer -fno-sanitize-coverage=trace-cmp -MMD -MP -o $@ $< \
	    $(FUZZ_LIB) $(LDLIBS)
FUZZ_LIB = $(BUILD)/fuzz/libvitrine.a

define watches_its_rooms
$(BUILD)/fuzz/lib$1.a: $(call in_rooms,$1) $(call beside,$1)
	rm -f $$@
	ar rcs $$@ $$^
$(BUILD)/fuzz/fuzz_$1: $(BUILD)/fuzz/lib$1.a
$(BUILD)/fuzz/fuzz_$1: FUZZ_LIB = $(BUILD)/fuzz/lib$1.a
endef
$(foreach t,$(WATCHERS),$(eval $(call watches_its_rooms,$t)))

# Both ends of debugger/link/link.h in one process: tests/fuzz/one_process.h
ONE_PROCESS := sendmsg recvmsg recv poll nanosleep fork kill _exit vm_new host_ready_soon host_say \
    host_cpu_ns host_shared_alloc trace_new store_take make_machine dirty_take \
    $(foreach n,1 2 4 8,__sanitizer_cov_trace_cmp$n __sanitizer_cov_trace_const_cmp$n)
IN_ONE := gdb wire link
$(foreach t,gdb wire,$(BUILD)/fuzz/fuzz_$t): LDLIBS += $(ONE_PROCESS:%=-Wl,--wrap=%)
LINK_PLAYED := $(filter-out store_take,$(ONE_PROCESS)) strerror trace_writer_open_fd
$(BUILD)/fuzz/fuzz_link: LDLIBS += $(LINK_PLAYED:%=-Wl,--wrap=%)

# What is built once and put back after each input: tests/fuzz/world.h
WORLD := host_page_alloc host_page_free free realloc
QUICK := __asan_handle_no_return                # tests/fuzz/quick.h
$(foreach t,soft devices snapshot $(IN_ONE),$(BUILD)/fuzz/fuzz_$t): \
    LDLIBS += $(WORLD:%=-Wl,--wrap=%)
$(foreach t,soft devices snapshot trace_file $(IN_ONE),$(BUILD)/fuzz/fuzz_$t): LDLIBS += $(QUICK:%=-Wl,--wrap=%)

# Large blocks are used again: tests/fuzz/big_blocks.h
BIG := malloc calloc free ZSTD_createDCtx ZSTD_freeDCtx
$(BUILD)/fuzz/fuzz_trace_file: LDLIBS += $(BIG:%=-Wl,--wrap=%)

$(BUILD)/fuzz/fuzz_soft: LDLIBS += -lcmocka     # soft_board.h's

# What every run says to libFuzzer, here and in tests/fuzz-short: the plain power schedule, no names
# of functions that are new (a process of the symbolizer's for each), and an input that is found
# stays, though a shorter one does the same.
FUZZ_OPTIONS := -entropic=0 -print_funcs=0 -reduce_inputs=0 -verbosity=0

.PHONY: fuzz-targets fuzz-names fuzz-options
fuzz-targets: $(FUZZ_BINS)
fuzz-names:
	@echo $(FUZZ_TARGETS)
fuzz-options:
	@echo $(FUZZ_OPTIONS)

##  fuzz       every fuzz target for FUZZ_SECONDS (20) each; needs clang
.PHONY: fuzz
fuzz: $(FUZZ_BINS)
	@for t in $(FUZZ_TARGETS); do \
	    mkdir -p $(BUILD)/fuzz/corpus/$$t; seeds=tests/fuzz/seeds/$${t#fuzz_}; \
	    echo "fuzz: $$t for $(FUZZ_SECONDS) s"; \
	    [ ! -d $$seeds.once ] || $(BUILD)/fuzz/$$t -verbosity=0 $$seeds.once/* || exit 1; \
	    [ -d $$seeds ] || seeds=; \
	    $(BUILD)/fuzz/$$t -max_total_time=$(FUZZ_SECONDS) -timeout=10 -rss_limit_mb=1024 \
	        -print_final_stats=1 $(FUZZ_OPTIONS) -artifact_prefix=$(BUILD)/fuzz/$$t- \
	        $(BUILD)/fuzz/corpus/$$t $$seeds || exit 1; \
	done
