# Slides: each slides/NN-topic.md becomes one HTML file that needs nothing else.
DECKS      := $(sort $(wildcard slides/[0-9]*.md))
DECK_HTML  := $(DECKS:slides/%.md=$(BUILD)/slides/%.html)
DECK_PDF   := $(DECK_HTML:.html=.pdf)
BROWSER    := $(shell command -v chromium || command -v chromium-browser || command -v google-chrome)

##  slides     the lecture's slides, with numbers of runs made now: build/slides/*.html
##  slides-pdf the same as PDF; a Chromium prints them
.PHONY: slides slides-pdf
slides: $(DECK_HTML)
slides-pdf: $(DECK_PDF)

$(BUILD)/slides/%.html: slides/%.md slides/template.html scripts/slides scripts/SlideFigures.pm $(BUILD)/vitrine | guests
	@mkdir -p $(@D)
	BUILD=$(BUILD) scripts/slides $< >$@.new && mv $@.new $@

$(BUILD)/slides/%.pdf: $(BUILD)/slides/%.html
	@[ "$(BROWSER)" ] || { echo "slides-pdf needs a Chromium: apt install chromium"; exit 1; }
	$(BROWSER) --headless --no-sandbox --disable-gpu --no-pdf-header-footer --print-to-pdf=$@ file://$(abspath $<) 2>/dev/null
