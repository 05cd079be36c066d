# Benchmarks: each bench/bench_NAME.c is a program that prints medians of several
# runs and, where issue or design name a target, whether it is met.
BENCHES := \
    bench_trace \
    bench_store \
    bench_kvm \
    bench_start \
    bench_tui \
    bench_debug \
    bench_gdb \
    bench_reverse
BENCH_BINS := $(BENCHES:%=$(BUILD)/bench/%)

$(BUILD)/bench/%: bench/%.c bench/bench.h $(BUILD)/libvitrine.a
	@mkdir -p $(@D)
	$(CC) $(ALL_CFLAGS) -I. -MMD -MP -o $@ $< $(BUILD)/libvitrine.a $(LDLIBS)

# Guests that need only ring 3, as programs of the host: what bench_soft calls native.
NATIVE_GUESTS := intmix memcpy
NATIVE_BINS := $(NATIVE_GUESTS:%=$(BUILD)/bench/%32) $(NATIVE_GUESTS:%=$(BUILD)/bench/%64)
NATIVE_SOURCES := bench/native/native.c guests/lib/print.c guests/lib/string.c
define native_rule
$(BUILD)/bench/$1$2: guests/$1.c $(NATIVE_SOURCES) bench/native/x86.h
	@mkdir -p $$(@D)
	$$(CC) $$(GUEST_CFLAGS$2) -include bench/native/x86.h -nostdlib -static -o $$@ guests/$1.c $(NATIVE_SOURCES)
endef
$(foreach g,$(NATIVE_GUESTS),$(eval $(call native_rule,$g,32))$(eval $(call native_rule,$g,64)))

##  bench      measure: medians, ranges, and targets met or missed
.PHONY: bench
bench: $(BENCH_BINS) $(NATIVE_BINS) all
	@bad=0; for b in $(BENCH_BINS); do $$b $(BUILD)/vitrine || bad=1; done; \
	BUILD=$(BUILD) bench/bench_soft $(BUILD)/vitrine || bad=1; \
	BUILD=$(BUILD) bench/bench_lab $(BUILD)/vitrine || bad=1; exit $$bad

##  bench-lab     only what grading costs: each lab, all labs, a class of 100
.PHONY: bench-lab
bench-lab: all
	BUILD=$(BUILD) bench/bench_lab $(BUILD)/vitrine

##  bench-soft    only the soft engine beside Bochs, QEMU and native code, one run each
.PHONY: bench-soft
bench-soft: $(NATIVE_BINS) all
	BUILD=$(BUILD) bench/bench_soft --quick $(BUILD)/vitrine
