# SPDX-License-Identifier: Apache-2.0
"""dbus_peer.py - a stand-in for systemd at the other end of a D-Bus socket

A process of its own, so that it can be stopped. It keeps the properties of one unit, notes
every byte that it receives, and can misbehave. Messages are taken apart and put together
here on their own terms, from the D-Bus Specification, not by the code under test.
"""

import json
import os
import re
import signal
import socket
import struct
import threading
import time

BUS = "/run/dbus/system_bus_socket"
SYSTEMD = "/run/systemd/private"

UNKNOWN_INTERFACE = "org.freedesktop.DBus.Error.UnknownInterface"
ACCESS_DENIED = "org.freedesktop.DBus.Error.AccessDenied"


class Writer:
    """Marshals values by their signature."""

    def __init__(self, order="<"):
        self.order = order
        self.data = b""

    def pad(self, alignment):
        self.data += b"\0" * (-len(self.data) % alignment)

    def u32(self, value):
        self.pad(4)
        self.data += struct.pack(self.order + "I", value)

    def string(self, text):
        self.u32(len(text.encode()))
        self.data += text.encode() + b"\0"

    def signature(self, text):
        self.data += bytes([len(text)]) + text.encode() + b"\0"

    def array(self, write_elements):
        """An array of structs, or of dictionary entries."""
        self.u32(0)
        at = len(self.data) - 4
        self.pad(8)
        start = len(self.data)
        write_elements()
        size = struct.pack(self.order + "I", len(self.data) - start)
        self.data = self.data[:at] + size + self.data[at + 4:]

    def pairs(self, pairs):
        def elements():
            for first, second in pairs:
                self.pad(8)
                self.string(first)
                self.string(second)
        self.array(elements)

    def value(self, signature, value):
        """Of the types in OTHERS, and of those that are asked for."""
        if signature in "sog":
            (self.signature if signature == "g" else self.string)(value)
        elif signature == "a(ss)":
            self.pairs(value)
        elif signature.startswith("("):
            self.pad(8)
            # Members are basic, or arrays of those.
            for kind, member in zip(re.findall("a?.", signature[1:-1]), value):
                self.value(kind, member)
        elif signature.startswith("a"):
            self.u32(0)
            at = len(self.data) - 4
            self.pad(8 if signature[1] in "({tx" else 4 if signature[1] in "aus" else 1)
            start = len(self.data)
            for element in value:
                self.value(signature[1:], element)
            size = struct.pack(self.order + "I", len(self.data) - start)
            self.data = self.data[:at] + size + self.data[at + 4:]
        else:
            packed = struct.pack(self.order + {"b": "I", "u": "I", "i": "i", "q": "H", "y": "B",
                                               "t": "Q", "d": "d"}[signature], value)
            self.pad(len(packed))
            self.data += packed


# Of the kinds that a unit has besides: each must be passed over by its own rules.
OTHERS = [
    ("Slice", "s", "machine.slice"), ("Transient", "b", 1), ("SubState", "s", "running"),
    ("CPUWeight", "t", 2 ** 64 - 1), ("Job", "(uo)", (0, "/")), ("KillSignal", "i", 15),
    ("IPIngressFilterPath", "as", []), ("BindLogSockets", "y", 7), ("Port", "q", 8080),
    ("Controllers", "as", ["cpu", "memory", "devices"]), ("AllowedCPUs", "ay", b"\3\0\0"),
    ("IODeviceWeight", "a(st)", [("/dev/sda", 100), ("/dev/sdb", 7)]),
    ("IPAddressAllow", "a(iayu)", [(2, b"\x7f\0\0\1", 8)]), ("Ratio", "d", 0.5),
    ("ExecStart", "a(sasbttttuii)", [("/bin/sh", ["sh", "-c", "x"], 0, 1, 2, 3, 4, 5, 6, 7)]),
    ("Set", "(bas)", (1, ["a", "bc"])), ("Conditions", "a(sbbsi)", []), ("Type", "g", "a{sv}"),
    ("ManagedOOMSwap", "s", "auto"),
]


def message(kind, serial, fields, signature="", body=b"", order="<"):
    """fields: (code, type, value)"""
    head = Writer(order)
    head.data = (b"l" if order == "<" else b"B") + bytes([kind, 0, 1])
    head.u32(len(body))
    head.u32(serial)
    if signature:
        fields = [*fields, (8, "g", signature)]

    def elements():
        for code, kind_of, value in fields:
            head.pad(8)
            head.data += bytes([code])
            head.signature(kind_of)
            {"u": head.u32, "g": head.signature}.get(kind_of, head.string)(value)

    head.array(elements)
    head.pad(8)
    return head.data + body


def call(serial, path, interface, member, signature="", body=b"", destination=None):
    fields = [(1, "o", path), (2, "s", interface), (3, "s", member)]
    if destination:
        fields.append((6, "s", destination))
    return message(1, serial, fields, signature, body)


class Reader:
    """Takes a little endian message apart."""

    def __init__(self, data):
        self.data = data
        self.at = 0

    def u32(self):
        self.at += -self.at % 4
        self.at += 4
        return struct.unpack_from("<I", self.data, self.at - 4)[0]

    def string(self):
        size = self.u32()
        self.at += size + 1
        return self.data[self.at - size - 1:self.at - 1].decode()

    def signature(self):
        size = self.data[self.at]
        self.at += size + 2
        return self.data[self.at - size - 1:self.at - 1].decode()

    def pairs(self):
        size = self.u32()
        self.at += -self.at % 8
        end = self.at + size
        found = []
        while self.at < end:
            self.at += -self.at % 8
            found.append([self.string(), self.string()])
        return found


def parse_call(data):
    """Return: serial, member, Reader at the body"""
    reader = Reader(data)
    reader.at = 8
    serial = reader.u32()
    size = reader.u32()
    end = 16 + size
    member = None
    while reader.at < end:
        reader.at += -reader.at % 8
        code = data[reader.at]
        reader.at += 1
        kind = reader.signature()
        value = reader.signature() if kind == "g" else \
            reader.u32() if kind == "u" else reader.string()
        if code == 3:
            member = value
    reader.at = end + -end % 8
    return serial, member, reader


class Peer:
    """A context manager. properties: of the unit; fault: how it misbehaves, see methods
    fault_*; on_set: called, in the peer's process, when DeviceAllow is set"""

    def __init__(self, path, properties, fault=None, on_set=None, order="<"):
        self.path = path
        self.properties = properties
        self.fault = fault
        self.on_set = on_set
        self.order = order
        self.log = f"{path}.log"
        self.process = None
        self.connections = 0

    def __enter__(self):
        os.makedirs(os.path.dirname(self.path), exist_ok=True)
        open(self.log, "wb").close()
        listener = socket.socket(socket.AF_UNIX)
        listener.bind(self.path)
        listener.listen()
        self.process = os.fork()
        if self.process == 0:
            try:
                self._serve(listener)
            finally:
                os._exit(1)
        listener.close()
        return self

    def __exit__(self, *_):
        os.kill(self.process, signal.SIGKILL)
        os.waitpid(self.process, 0)
        os.unlink(self.path)

    def stop(self):
        os.kill(self.process, signal.SIGSTOP)

    def notes(self):
        """What it received, one a line: {"connection": n, "bytes": hex, "member": name}"""
        with open(self.log, encoding="ascii") as file:
            return [json.loads(line) for line in file]

    def members(self):
        return [note["member"] for note in self.notes()]

    # ---- in the peer's process -----------------------------------------------------------

    def _note(self, number, data, member):
        with open(self.log, "a", encoding="ascii") as file:
            file.write(json.dumps({"connection": number, "bytes": data.hex(),
                                   "member": member}) + "\n")

    def _serve(self, listener):
        while True:
            connection, _ = listener.accept()
            self.connections += 1
            threading.Thread(target=self._converse, args=(connection, self.connections),
                             daemon=True).start()

    def _converse(self, connection, number):
        try:
            data = b""
            while b"BEGIN\r\n" not in data:
                data += self._receive(connection)
            end = data.index(b"BEGIN\r\n") + 7
            self._note(number, data[:end], "AUTH")
            if self.fault == "rejects":
                connection.sendall(b"REJECTED EXTERNAL ANONYMOUS\r\n")
                return
            connection.sendall(b"OK 0123456789abcdef0123456789abcdef\r\n")
            self._calls(connection, number, data[end:])
        except (ConnectionError, EOFError, BrokenPipeError):
            pass
        finally:
            connection.close()

    @staticmethod
    def _receive(connection):
        data = connection.recv(65536)
        if not data:
            raise EOFError
        return data

    def _calls(self, connection, number, data):
        while True:
            while len(data) >= 16:
                body, _, fields = struct.unpack_from("<III", data, 4)
                size = 16 + fields + -fields % 8 + body
                if len(data) < size:
                    break
                serial, member, reader = parse_call(data[:size])
                self._note(number, data[:size], member)
                data = data[size:]
                if member != "Hello" and self.fault:
                    getattr(self, "fault_" + self.fault)(connection, number, serial)
                connection.sendall(self._answer(serial, member, reader))
            data += self._receive(connection)

    def _reply(self, serial, signature="", write=None):
        body = Writer(self.order)
        if write:
            write(body)
        return message(2, 100 + serial, [(5, "u", serial)], signature, body.data, self.order)

    def _error(self, serial, name, text):
        body = Writer(self.order)
        body.string(text)
        return message(3, 100 + serial, [(4, "s", name), (5, "u", serial)], "s", body.data,
                       self.order)

    def _answer(self, serial, member, reader):
        if member == "Hello":
            return self._reply(serial, "s", lambda body: body.string(":1.7"))
        if member == "SetUnitProperties":
            return self._set(serial, reader)
        interface = reader.string()
        if not interface.startswith("org.freedesktop.systemd1."):
            return self._error(serial, UNKNOWN_INTERFACE, f"Unknown interface {interface}")
        if self.fault == "knows_no_service" and interface.endswith(".Service"):
            return self._error(serial, UNKNOWN_INTERFACE, "Unknown object")
        asked = [(name, "s" if isinstance(value, str) else "a(ss)", value)
                 for name, value in self.properties.items()]
        # What is asked for stands between the others.
        third = len(OTHERS) // 3
        entries = OTHERS[:third] + asked[:2] + OTHERS[third:-third] + asked[2:] + \
            OTHERS[-third:]

        def write(body):
            def elements():
                for name, signature, value in entries:
                    body.pad(8)
                    body.string(name)
                    body.signature(signature)
                    body.value(signature, value)
            body.array(elements)

        return self._reply(serial, "a{sv}", write)

    def _set(self, serial, reader):
        reader.string()
        reader.u32()
        reader.u32()
        reader.at += -reader.at % 8
        name = reader.string()
        reader.signature()
        if self.fault != "forgets":
            self.properties[name] = self.properties[name] + reader.pairs()
        if self.on_set:
            self.on_set()
        return self._reply(serial)

    # ---- faults: before the answer to every call but Hello ----------------------------------

    def fault_silent(self, *_):
        time.sleep(1000)

    def fault_hangs_up(self, *_):
        raise EOFError

    def fault_hangs_up_once(self, _, number, __):
        if number == 1:
            raise EOFError

    def fault_cuts_off(self, connection, _, serial):
        connection.sendall(self._reply(serial)[:20])
        raise EOFError

    def fault_garbage(self, connection, *_):
        connection.sendall(b"HTTP/1.1 400 Bad Request\r\n\r\n")

    def fault_huge(self, connection, *_):
        connection.sendall(b"l\2\0\1" + struct.pack("<III", 64 << 20, 1, 0))
        time.sleep(1000)

    def fault_other_type(self, connection, _, serial):
        connection.sendall(self._reply(serial, "u", lambda body: body.u32(1)))

    def fault_other_serial(self, connection, _, serial):
        connection.sendall(self._reply(serial + 1000))
        time.sleep(1000)

    def fault_floods(self, connection, *_):
        """Signals without end."""
        while True:
            connection.sendall(message(4, 1, [(1, "o", "/a"), (2, "s", "b.c"),
                                              (3, "s", "D")]) * 100)

    def fault_signals(self, connection, *_):
        """Some signals between, one of them with the serial of nothing that was asked."""
        connection.sendall(message(4, 1, [(1, "o", "/a"), (2, "s", "b.c"), (3, "s", "D")], "s",
                                   struct.pack("<I", 3) + b"new\0") * 3)

    def fault_denies(self, connection, _, serial):
        connection.sendall(self._error(serial, ACCESS_DENIED, "not\nfor you"))

    def fault_slow(self, *_):
        time.sleep(0.25)

    def fault_trickles(self, connection, _, serial):
        """A message, byte by byte, that never ends."""
        for byte in self._reply(serial, "s", lambda body: body.string("x" * 1000)):
            connection.sendall(bytes([byte]))
            time.sleep(0.1)

    def fault_knows_no_service(self, *_):
        """Of an odd name there is no object."""

    def fault_forgets(self, *_):
        """Answers all, but does not do what it is told."""
