# Labs: see doc/labs.md.  A lab whose part is cut out of the source has a stand-in for it, which
# is linked into a monitor of its own: the archive's member is not taken, because the stand-in
# defines the same names before.  A lab's own guests are lab/NN-name/guests/NAME.c; those that a file
# `guests64` of the lab names are built for long mode, too, as NAME64.

LABS         := $(patsubst lab/%/lab,%,$(wildcard lab/*/lab))
LAB_MONITORS := $(foreach l,$(LABS),$(if $(wildcard lab/$l/standin.c),$(BUILD)/lab/$(firstword $(subst -, ,$l))/monitor))
lab_guests   := $(foreach l,$(LABS),$(patsubst lab/$l/guests/%.c,%,$(wildcard lab/$l/guests/*.c)))
lab_guests64 := $(foreach l,$(LABS),$(shell cat lab/$l/guests64 2>/dev/null))
LAB_GUESTS   := $(lab_guests:%=$(GUEST_DIR)/%.elf) $(lab_guests64:%=$(GUEST_DIR)/%64.elf)

# What a submission is compiled with: copies of all headers, and nothing else of the source.
LAB_HEADERS  := $(HEADERS:src/%=$(BUILD)/lab/include/%)
LAB_SERVERS  := $(LAB_MONITORS:%/monitor=%/server.o)

##  labs       the trusted monitors and the guests of the course's labs
.PHONY: labs
labs: $(LAB_MONITORS) $(LAB_SERVERS) $(LAB_HEADERS) $(LAB_GUESTS)

$(BUILD)/lab/include/%.h: src/%.h
	@mkdir -p $(@D)
	cp $< $@

# In every monitor, and in every submission: lab/common/ask.h and part.h say what they are, and
# tables.h how a lab's submission keeps page tables.
LAB_ASK      := $(BUILD)/lab/common/ask.o $(BUILD)/lab/common/frames.o
# A submission is built and linked without the sanitizers, whatever the monitor is built with: its
# process may not make the system calls that they need, and has too little memory for them.
LAB_CFLAGS    = $(filter-out -fsanitize=% -fno-sanitize%,$(ALL_CFLAGS))
LAB_PART     := $(BUILD)/lab/common/part.o $(BUILD)/lab/common/last_note.o $(BUILD)/lab/common/keeper.o
$(BUILD)/lab/common/%.o: lab/common/%.c
	@mkdir -p $(@D)
	$(CC) $(ALL_CFLAGS) -MMD -MP -c -o $@ $<
$(BUILD)/lab/src/%.o: src/%.c
	@mkdir -p $(@D)
	$(CC) $(LAB_CFLAGS) -MMD -MP -c -o $@ $<
$(LAB_PART): ALL_CFLAGS := $(LAB_CFLAGS)

# $(call lab_monitor,NN,lab/NN-name).  A file `objects` of the lab names objects of the project
# that its submissions are linked with; oracle.c, if there is one, belongs to the stand-in.
define lab_monitor
$(BUILD)/lab/$1/standin.o $(BUILD)/lab/$1/oracle.o: $(BUILD)/lab/$1/%.o: $2/%.c
	@mkdir -p $$(@D)
	$$(CC) $$(ALL_CFLAGS) -MMD -MP -c -o $$@ $$<
$(BUILD)/lab/$1/main.o: $2/server.c
	@mkdir -p $$(@D)
	$$(CC) $$(LAB_CFLAGS) -MMD -MP -c -o $$@ $$<
$(BUILD)/lab/$1/server.o: $(BUILD)/lab/$1/main.o $(LAB_PART) \
    $(patsubst %,$(BUILD)/lab/src/%,lab/wire.o $(shell cat $2/objects 2>/dev/null))
	ld -r -o $$@ $$^
$(BUILD)/lab/$1/monitor: $(BUILD)/obj/cmd/main.o $(BUILD)/lab/$1/standin.o $(LAB_ASK) \
    $(patsubst $2/%.c,$(BUILD)/lab/$1/%.o,$(wildcard $2/oracle.c)) \
    $(BUILD)/libvitrine.a
	$$(CC) $$(ALL_CFLAGS) -o $$@ $$^ $$(LDLIBS)
endef
$(foreach l,$(LABS),$(if $(wildcard lab/$l/standin.c),$(eval $(call lab_monitor,$(firstword $(subst -, ,$l)),lab/$l))))

define lab_guest
$(GUEST_DIR)/obj32/lab/$2.c.o: lab/$1/guests/$2.c
	@mkdir -p $$(@D)
	$$(CC) $$(GUEST_CFLAGS32) -MMD -MP -c -o $$@ $$<
$(GUEST_DIR)/$2.elf: $(GUEST_DIR)/obj32/lab/$2.c.o $(GUEST_OBJ32) guests/lib/link.ld
	$$(CC) -m32 $(GUEST_LDFLAGS) -T guests/lib/link.ld -o $$@ $$(filter %.o %.a,$$^)
endef
$(foreach l,$(LABS),$(foreach g,$(patsubst lab/$l/guests/%.c,%,$(wildcard lab/$l/guests/*.c)),$(eval $(call lab_guest,$l,$g))))

# $(call lab_guest64,NN-name,NAME)
define lab_guest64
$(GUEST_DIR)/obj64/lab/$2.c.o: lab/$1/guests/$2.c
	@mkdir -p $$(@D)
	$$(CC) $$(GUEST_CFLAGS64) -MMD -MP -c -o $$@ $$<
$(GUEST_DIR)/$(2)64.elf64: $(GUEST_DIR)/obj64/lab/$2.c.o $(GUEST_OBJ64) guests/lib/link.ld
	$$(CC) -m64 $(GUEST_LDFLAGS) -T guests/lib/link.ld -o $$@ $$(filter %.o %.a,$$^)
$(GUEST_DIR)/$(2)64.elf: $(GUEST_DIR)/$(2)64.elf64
	$$(OBJCOPY) -O elf32-i386 $$< $$@
endef
$(foreach l,$(LABS),$(foreach g,$(shell cat lab/$l/guests64 2>/dev/null),$(eval $(call lab_guest64,$l,$g))))

##  try-lab    N=7: starter, real source, right solutions and mutants of a lab, graded side by side
.PHONY: try-lab
try-lab: all
	$(BUILD)/vitrine lab try $(N)
