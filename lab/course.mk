# What a course needs beside the labs: trees to hand out, bundles for graders.  See doc/teaching.md.

HANDOUT ?= $(BUILD)/handout

##  handout    the students' tree, LAB="1 7" or all labs, HANDOUT=DIR; no solution is in it
.PHONY: handout
handout: all
	BUILD=$(BUILD) CC="$(CC)" LDLIBS="$(LDLIBS)" scripts/handout $(HANDOUT) $(LAB)

# What building and grading need; the rest of PACKAGES is for tests.
GRADER_PACKAGES := gcc libc6-dev make patch python3 libzydis-dev libelf-dev libdw-dev libzstd-dev \
    libncurses-dev libreadline-dev libcjson-dev openssl
.PHONY: grader-packages
grader-packages:
	@echo $(GRADER_PACKAGES)

##  gradescope  LAB=7: the autograder bundle of a lab, build/gradescope-7.zip; SEED= or one that is drawn
.PHONY: gradescope
gradescope:
	scripts/gradescope $(LAB) $(BUILD)/gradescope-$(LAB).zip $(SEED)
