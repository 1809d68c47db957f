#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
#
# setup.sh - makes a tree of packages the test machine; runs inside of the tree
#
# Whatever a server would do by itself is switched off: it takes time, and the tests want to
# be the only ones that change units.
set -eu
echo gpu-test >/etc/hostname
echo 127.0.0.1 localhost gpu-test >/etc/hosts
echo '/dev/vda / ext4 noatime 0 0' >/etc/fstab
systemctl mask --quiet apt-daily.timer apt-daily-upgrade.timer dpkg-db-backup.timer \
	e2scrub_all.timer fstrim.timer systemd-networkd-wait-online.service \
	systemd-random-seed.service getty.target serial-getty@.service

mkdir -p /etc/systemd/journald.conf.d
printf '[Journal]\nStorage=volatile\nRateLimitIntervalSec=0\n' \
	>/etc/systemd/journald.conf.d/tests.conf

cat >/etc/systemd/system/tests.service <<'UNIT'
[Unit]
Description=the tests on the second disk
After=multi-user.target
SuccessAction=poweroff-force
FailureAction=poweroff-force

[Service]
Type=oneshot
# No limit here: the host has one for the whole machine.
TimeoutStartSec=infinity
# /run would not let programs start.
StateDirectory=tests
WorkingDirectory=/var/lib/tests
ExecStart=/bin/sh -c 'tar -xf /dev/vdb && exec ./start'
StandardOutput=file:/dev/ttyS1
StandardError=file:/dev/ttyS0

[Install]
WantedBy=default.target
UNIT
systemctl enable --quiet tests.service
systemctl set-default --quiet multi-user.target

# Only what it takes to mount the root file system: unpacking costs time on a slow machine.
printf 'MODULES=list\nCOMPRESS=gzip\n' >/etc/initramfs-tools/conf.d/tests
printf 'virtio_pci\nvirtio_blk\next4\n' >>/etc/initramfs-tools/modules
set -- /lib/modules/*
update-initramfs -c -k "${1##*/}"
rm -rf /var/lib/apt/lists/* /var/cache/apt/*
