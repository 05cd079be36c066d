# What a course needs beside the labs: trees to hand out, bundles for graders.  See doc/teaching.md.

HANDOUT ?= $(BUILD)/handout

##  handout    the students' tree, LAB="1 7" or all labs, HANDOUT=DIR; no solution is in it
.PHONY: handout
handout: all
	BUILD=$(BUILD) CC="$(CC)" LDLIBS="$(LDLIBS)" scripts/handout $(HANDOUT) $(LAB)
