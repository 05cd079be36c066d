# The interpreter's instructions before independent judges: see judge.c.
JUDGE         := $(BUILD)/tests/judge
JUDGE_OBJECTS := $(addprefix $(BUILD)/judge/,judge.o generate.o suits.o aim.o vendor.o ours.o unicorn.o silicon.o)
JUDGE_CASES   ?= 2000000
JUDGE_SEED    ?= $(shell date +%s)

$(BUILD)/judge/%.o: tests/judge/%.c
	@mkdir -p $(@D)
	$(CC) $(ALL_CFLAGS) -MMD -MP -c -o $@ $<

$(JUDGE): $(JUDGE_OBJECTS) $(BUILD)/libvitrine.a
	@mkdir -p $(@D)
	$(CC) $(ALL_CFLAGS) -o $@ $^ $(LDLIBS) -lunicorn

##  judge      random instructions on soft, Unicorn and this processor: JUDGE_CASES (2000000) of JUDGE_SEED
.PHONY: judge
judge: $(JUDGE)
	$(JUDGE) --seed $(JUDGE_SEED) --cases $(JUDGE_CASES)
