# Benchmarks: each bench/bench_NAME.c is a program that prints medians of several
# runs and, where issue or design name a target, whether it is met.
BENCHES := \
    bench_trace \
    bench_kvm \
    bench_start
BENCH_BINS := $(BENCHES:%=$(BUILD)/bench/%)

$(BUILD)/bench/%: bench/%.c bench/bench.h $(BUILD)/libvitrine.a
	@mkdir -p $(@D)
	$(CC) $(ALL_CFLAGS) -I. -MMD -MP -o $@ $< $(BUILD)/libvitrine.a $(LDLIBS)

##  bench      measure: medians, ranges, and targets met or missed
.PHONY: bench
bench: $(BENCH_BINS) $(BUILD)/vitrine
	@bad=0; for b in $(BENCH_BINS); do $$b $(BUILD)/vitrine || bad=1; done; exit $$bad
