# SPDX-License-Identifier: Apache-2.0
# A thin layer over meson; everything about compiling stands in meson.build.

BUILD := build/release

all: $(BUILD)/build.ninja
	meson compile -C $(BUILD)

$(BUILD)/build.ninja:
	contrib/install-deps build
	meson setup --native-file contrib/meson/static.ini $(BUILD)

# Its own text is what one wants to see; the compiler's only if the build fails.
demo:
	@contrib/install-deps demo
	@echo "building $(BUILD)/oci-gpu-hook"
	@out=$$($(MAKE) --no-print-directory all 2>&1) || { printf '%s\n' "$$out" >&2; exit 1; }
	@contrib/demo $(BUILD)/oci-gpu-hook

check:
	contrib/install-deps check
	python3 -B test/check.py

check-long:
	contrib/install-deps check
	python3 -B test/check.py --long

check-vm: all
	contrib/install-deps check
	python3 -B test/check.py vm-trixie

bench:
	contrib/install-deps bench
	@$(MAKE) --no-print-directory all
	python3 -B test/bench/bench.py $(BUILD)

install: all
	@mkdir -p "$$DESTDIR/usr" 2>/dev/null && test -w "$$DESTDIR/usr" || { \
		echo "make install: cannot write below '$$DESTDIR/usr'; use sudo make install," \
			"or make install DESTDIR=DIR" >&2; exit 1; }
	@# meson would take a relative DESTDIR as one below the build.
	DESTDIR="$${DESTDIR:+$$(realpath "$$DESTDIR")}" meson install -C $(BUILD) --no-rebuild

uninstall:
	@python3 -B contrib/uninstall $(BUILD)

format:
	clang-format -i $$(find hook lib test -name '*.[ch]')

clean:
	rm -rf build

.PHONY: all demo check check-long check-vm bench install uninstall format clean
