# SPDX-License-Identifier: Apache-2.0
# A thin layer over meson; everything about compiling stands in meson.build.

BUILD := build/release

all: $(BUILD)/build.ninja
	meson compile -C $(BUILD)

$(BUILD)/build.ninja:
	contrib/install-deps build
	meson setup --native-file contrib/meson/static.ini $(BUILD)

demo:
	contrib/install-deps demo
	@$(MAKE) --no-print-directory all
	contrib/demo $(BUILD)/oci-gpu-hook

check:
	contrib/install-deps check
	python3 -B test/check.py

check-long:
	contrib/install-deps check
	python3 -B test/check.py --long

bench:
	contrib/install-deps bench
	@$(MAKE) --no-print-directory all
	python3 -B test/bench/bench.py $(BUILD)

install: all
	meson install -C $(BUILD) --no-rebuild

format:
	clang-format -i $$(find hook lib test -name '*.[ch]')

clean:
	rm -rf build

.PHONY: all demo check check-long bench install format clean
