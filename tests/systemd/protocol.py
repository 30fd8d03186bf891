#!/usr/bin/python3
"""protocol.py: speaks the service manager's part with $SOCKWRIGHTD: notify, watchdog, socket activation, credentials."""
import collections
import contextlib
import ctypes
import hashlib
import http.client
import json
import os
import resource
import shutil
import signal
import socket
import subprocess
import tempfile
import unittest

DAEMON = os.environ["SOCKWRIGHTD"]
DEADLINE_S = 30
TOKEN = "0123456789abcdef0123456789abcdef"
PTRACE_DETACH, PTRACE_SEIZE, PTRACE_INTERRUPT = 17, 0x4206, 0x4207
WATCHDOG_US = 200000
SILENCE_S = 5 * WATCHDOG_US / 1e6
libc = ctypes.CDLL(None, use_errno=True)
libc.ptrace.argtypes = [ctypes.c_long, ctypes.c_long, ctypes.c_void_p, ctypes.c_void_p]


class Frozen:
    """Stops single threads of a process, as a bug that makes them hang would."""

    def __init__(self, pid, name):
        tasks = sorted(int(task) for task in os.listdir(f"/proc/{pid}/task"))
        self.tasks = [task for task in tasks if name in (self.name_of(pid, task), task)]
        assert self.tasks, f"no thread is called {name}"

    @staticmethod
    def name_of(pid, task):
        with open(f"/proc/{pid}/task/{task}/comm", encoding="ascii") as file:
            return file.read().strip()

    def __enter__(self):
        for task in self.tasks:
            for request in PTRACE_SEIZE, PTRACE_INTERRUPT:
                if libc.ptrace(request, task, None, None) != 0:
                    raise OSError(ctypes.get_errno(), "ptrace")
            os.waitpid(task, 0x40000000)  # __WALL

    def __exit__(self, *_):
        for task in self.tasks:
            libc.ptrace(PTRACE_DETACH, task, None, None)


def get(address, path, token=None):
    """The status of the answer to a request."""
    family = socket.AF_UNIX if isinstance(address, str) else socket.AF_INET
    with socket.socket(family) as client:
        client.settimeout(DEADLINE_S)
        client.connect(address)
        lines = [f"GET {path} HTTP/1.1", "Host: localhost", "Connection: close"]
        if token:
            lines.append(f"Authorization: Bearer {token}")
        client.sendall("\r\n".join(lines + ["", ""]).encode())
        return int(client.makefile("rb").readline().split()[1])


class Service(unittest.TestCase):
    def setUp(self):
        self.directory = tempfile.TemporaryDirectory(prefix="sockwright-service.")
        self.addCleanup(self.directory.cleanup)
        self.notify = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self.addCleanup(self.notify.close)
        self.notify.bind(self.path("notify"))
        self.notify.settimeout(DEADLINE_S)
        self.local = socket.socket(socket.AF_UNIX)
        self.addCleanup(self.local.close)
        self.local.bind(self.path("unix"))
        self.local.listen()
        self.tcp = socket.socket()
        self.addCleanup(self.tcp.close)
        self.tcp.bind(("127.0.0.1", 0))
        self.tcp.listen()
        self.places = [self.path("unix"), self.tcp.getsockname()]

    def path(self, name):
        return os.path.join(self.directory.name, name)

    def write(self, name, text, mode):
        with open(self.path(name), "w", encoding="ascii") as file:
            file.write(text)
        os.chmod(self.path(name), mode)

    def start(self, *arguments, passed=None, name="sockwrightd.socket", names=None, limit=None, **more):
        passed = [self.local, self.tcp] if passed is None else passed
        environment = dict(os.environ, NOTIFY_SOCKET=self.path("notify"), LISTEN_FDS=str(len(passed)),
                           LISTEN_FDNAMES=":".join(names or [name] * len(passed)))
        environment.update({"STATE_DIRECTORY": self.directory.name, **more})
        environment.pop("XDG_RUNTIME_DIR", None)
        numbers = [one.fileno() for one in passed]

        def place():
            copies = [os.dup(number) for number in numbers]
            high = [os.dup2(copy, 100 + index) for index, copy in enumerate(copies)]
            for index, copy in enumerate(high):
                os.dup2(copy, 3 + index, inheritable=True)
            if limit:
                resource.setrlimit(resource.RLIMIT_NOFILE, (limit, limit))

        wanted = range(3, 3 + len(passed))
        shell = 'export LISTEN_PID=$$ WATCHDOG_PID=$$; exec "$@"'
        with open(self.path("log"), "wb") as log:
            process = subprocess.Popen(["sh", "-c", shell, "sh", DAEMON, *arguments], env=environment, preexec_fn=place,
                                       pass_fds=wanted, stdout=log, stderr=log)
        self.addCleanup(process.wait)
        self.addCleanup(process.kill)
        return process

    def expect(self, word):
        """Waits for that word, and returns what was said with it."""
        while True:
            said = self.notify.recv(4096).decode().split("\n")
            if word in said:
                return said

    def drain(self):
        """Forgets what has been said by now."""
        self.notify.setblocking(False)
        try:
            while self.notify.recv(4096):
                pass
        except BlockingIOError:
            self.notify.settimeout(DEADLINE_S)

    def stop(self, process):
        process.send_signal(signal.SIGTERM)
        self.expect("STOPPING=1")
        self.assertEqual(process.wait(DEADLINE_S), 0, self.log())

    def log(self):
        with open(self.path("log"), encoding="ascii") as file:
            return file.read()

    def test_life(self):
        process = self.start()
        said = self.expect("READY=1")
        self.assertIn(f"STATUS=Serving on unix:{self.places[0]} http://127.0.0.1:{self.places[1][1]}", said)
        with open(self.path("sockwright.token"), encoding="ascii") as file:
            token = file.read().strip()
        self.assertEqual(get(self.places[0], "/v1/sockets"), 200)
        self.assertEqual(get(self.places[1], "/v1/sockets"), 401)
        self.assertEqual(get(self.places[1], "/v1/sockets", token), 200)
        process.send_signal(signal.SIGHUP)
        self.expect("RELOADING=1")
        self.expect("READY=1")
        self.assertEqual(get(self.places[0], "/v1/sockets"), 200)
        self.stop(process)
        self.assertTrue(os.path.exists(self.places[0]), "the path belongs to who made it")
        self.assertNotIn(token, self.log())

    def test_only_what_was_passed(self):
        process = self.start("--listen", "127.0.0.1:0", passed=[self.local])
        self.assertIn(f"STATUS=Serving on unix:{self.places[0]}", self.expect("READY=1"))
        self.stop(process)

    def test_clients_of_a_passed_socket_are_watched(self):
        process = self.start()
        self.expect("READY=1")
        self.assertEqual(self.tcp.getsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE), 1)
        for option, value in (("TCP_KEEPIDLE", 10), ("TCP_KEEPINTVL", 5), ("TCP_KEEPCNT", 2), ("TCP_USER_TIMEOUT", 20000)):
            with self.subTest(option=option):
                self.assertEqual(self.tcp.getsockopt(socket.IPPROTO_TCP, getattr(socket, option)), value)
        self.stop(process)

    def test_no_watchdog(self):
        process = self.start()
        self.expect("READY=1")
        self.notify.settimeout(SILENCE_S)
        self.assertRaises(TimeoutError, self.expect, "WATCHDOG=1")
        self.notify.settimeout(DEADLINE_S)
        self.stop(process)

    def test_watchdog(self):
        process = self.start(WATCHDOG_USEC=str(WATCHDOG_US))
        self.expect("READY=1")
        for thread in None, process.pid, "waiter", "MHD-worker":
            with self.subTest(hangs=thread):
                if thread is not None:
                    with Frozen(process.pid, thread):
                        self.drain()
                        self.notify.settimeout(SILENCE_S)
                        # What was on its way still comes.
                        try:
                            self.expect("WATCHDOG=1")
                            self.expect("WATCHDOG=1")
                            self.fail("it says that it is alive")
                        except TimeoutError:
                            pass
                        self.notify.settimeout(DEADLINE_S)
                for _ in range(3):
                    self.expect("WATCHDOG=1")
        self.stop(process)

    def refused(self, passed, name):
        process = self.start(passed=passed, name=name)
        self.assertEqual(process.wait(DEADLINE_S), 1)
        self.assertIn(name + ": passed, but no stream socket that listens", self.log())

    def test_passed_datagram_socket(self):
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as other:
            self.refused([self.local, other], "datagrams")

    def test_passed_socket_that_does_not_listen(self):
        with socket.socket() as other:
            self.refused([other], "deaf")

    def test_passed_file(self):
        with open("/dev/null", "rb") as other:
            self.refused([other], "nothing")

    def test_passed_socket_beyond_loopback(self):
        with socket.socket() as other:
            other.bind(("0.0.0.0", 0))
            other.listen()
            process = self.start(passed=[other])
            self.assertEqual(process.wait(DEADLINE_S), 1)
            self.assertIn("is not loopback", self.log())

    def test_certificate_without_its_key(self):
        self.write("sockwright.tls-cert", "", 0o400)
        process = self.start(CREDENTIALS_DIRECTORY=self.directory.name)
        self.assertEqual(process.wait(DEADLINE_S), 1)
        self.assertIn("must be given together", self.log())

    def test_tokens_file(self):
        self.write("sockwright.tokens", "ci: sha256:" + hashlib.sha256(TOKEN.encode()).hexdigest() + ", operate\n", 0o400)
        process = self.start(CREDENTIALS_DIRECTORY=self.directory.name)
        self.expect("READY=1")
        self.assertEqual(get(self.places[1], "/v1/sockets", TOKEN), 200)
        self.stop(process)

    def hear(self, word):
        """Waits for that line, and returns what was said with it, and the descriptors that came along."""
        while True:
            text, fds, _, _ = socket.recv_fds(self.notify, 4096, 253)
            files = [os.fdopen(fd, "rb", 0) for fd in fds]
            for file in files:
                self.addCleanup(file.close)
            if word in text.decode().split("\n"):
                return text.decode().split("\n"), files

    def let_go(self):
        """The far end of a barrier."""
        for fd in self.hear("BARRIER=1")[1]:
            fd.close()

    def start_with(self, kept, name="kept-test"):
        names = ["sockwrightd.socket"] * 2 + [name] * len(kept)
        return self.start(passed=[self.local, self.tcp] + kept, names=names)

    def die(self, process):
        """Kills it, and returns what its holder hands over, and under which name."""
        process.kill()
        process.wait(DEADLINE_S)
        said, kept = self.hear("FDSTORE=1")
        self.assertIn("FDPOLL=0", said)
        self.let_go()
        return kept, next(line[7:] for line in said if line.startswith("FDNAME="))

    def ask(self, method, path, body="{}"):
        with open(self.path("sockwright.token"), encoding="ascii") as file:
            headers = {"Authorization": "Bearer " + file.read().strip(), "Content-Type": "application/json"}
        with contextlib.closing(http.client.HTTPConnection(*self.places[1])) as client:
            client.request(method, path, body, headers)
            return json.load(client.getresponse())

    def test_restart(self):
        process = self.start()
        self.expect("READY=1")
        kept_id = self.ask("POST", "/v1/sockets", '{"bind":"127.0.0.1:0","listen":{"backlog":4}}')["id"]
        kept, name = self.die(process)
        self.assertEqual(len(kept), 2)
        for _ in range(3):
            # Killed while it takes over, it leaves all as it was.
            process = self.start_with(kept, name)
            process.kill()
            process.wait(DEADLINE_S)
        self.drain()
        process = self.start_with(kept, name)
        self.assertIn("FDNAME=" + name, self.hear("FDSTOREREMOVE=1")[0])
        self.let_go()
        self.expect("READY=1")
        self.assertEqual(self.ask("GET", "/v1/sockets", None)["sockets"][0]["id"], kept_id)
        # What is deleted then is closed, for nobody else has it.
        for one in kept:
            one.close()
        self.stop(process)
        self.assertNotEqual(self.hear("FDSTORE=1")[0][1], "FDNAME=" + name)
        self.let_go()

    def unreadable(self, change):
        """Starts it with a set that has been changed, and looks that it serves, and leaves that where it is."""
        process = self.start()
        self.expect("READY=1")
        before = self.ask("POST", "/v1/sockets", '{"label":"old"}')["id"]
        kept, name = self.die(process)
        change(kept)
        process = self.start_with(kept, name)
        while "READY=1" not in (said := self.notify.recv(4096).decode().split("\n")):
            self.assertNotIn("FDSTOREREMOVE=1", said)
        self.assertIn("error: " + name, self.log())
        self.assertEqual(self.ask("GET", "/v1/sockets", None)["sockets"], [])
        self.assertNotEqual(self.ask("POST", "/v1/sockets")["id"], before)
        self.stop(process)
        _, new = self.hear("FDSTORE=1")
        self.let_go()
        self.assertEqual(len(new), 2)
        return kept, name

    # A daemon that can read what was kept goes on with it.
    def is_gone_on_with(self, kept, name):
        process = self.start_with(kept, name)
        self.hear("FDSTOREREMOVE=1")
        self.let_go()
        self.expect("READY=1")
        self.assertEqual(self.ask("GET", "/v1/sockets", None)["sockets"][0]["label"], "old")
        self.stop(process)

    def test_another_version_is_kept(self):
        def set_version(kept, by):
            version = int.from_bytes(os.pread(kept[0].fileno(), 4, 8), "little") + by
            os.pwrite(kept[0].fileno(), version.to_bytes(4, "little"), 8)

        kept, name = self.unreadable(lambda kept: set_version(kept, 1))
        self.assertIn("another version of sockwrightd wrote it", self.log())
        set_version(kept, -1)
        self.is_gone_on_with(kept, name)

    def test_damage_is_kept(self):
        self.unreadable(lambda kept: os.pwrite(kept[0].fileno(), bytes(4096), 0))
        self.assertIn("it is no stored memory of sockwrightd", self.log())

    def test_damage_of_records_is_kept(self):
        last_number = 144
        kept, name = self.unreadable(lambda kept: os.pwrite(kept[0].fileno(), bytes(8), last_number))
        self.assertIn("it is damaged", self.log())
        os.pwrite(kept[0].fileno(), (1).to_bytes(8, "little"), last_number)
        self.is_gone_on_with(kept, name)

    def test_a_set_without_its_memory_is_kept(self):
        with socket.socket() as parcel:
            process = self.start_with([parcel])
        self.expect("READY=1")
        self.assertIn("kept-test", self.log())
        self.stop(process)

    def leave(self, label):
        """What a daemon leaves that had one socket, and under which name."""
        process = self.start()
        self.expect("READY=1")
        self.ask("POST", "/v1/sockets", json.dumps({"label": label}))
        return self.die(process)

    def test_the_newest_set_is_gone_on_with(self):
        old, new = self.leave("old"), self.leave("new")
        for order in (old, new), (new, old):
            with self.subTest(first=order[0][1]):
                names = ["sockwrightd.socket"] * 2 + [name for kept, name in order for _ in kept]
                process = self.start(passed=[self.local, self.tcp] + [one for kept, _ in order for one in kept], names=names)
                self.assertIn("FDNAME=" + new[1], self.hear("FDSTOREREMOVE=1")[0])
                self.let_go()
                self.expect("READY=1")
                self.assertEqual(self.ask("GET", "/v1/sockets", None)["sockets"][0]["label"], "new")
                self.assertIn(old[1] + ": an older set", self.log())
                self.stop(process)
                self.hear("FDSTORE=1")
                self.let_go()

    def test_no_descriptors_left(self):
        process = self.start()
        self.expect("READY=1")
        for _ in range(300):
            self.ask("POST", "/v1/sockets")
        kept, name = self.die(process)
        process = self.start(passed=[self.local, self.tcp] + kept, names=["sockwrightd.socket"] * 2 + [name] * 2, limit=280)
        self.assertEqual(process.wait(DEADLINE_S), 1)
        self.assertIn("not all sockets that were kept can be had", self.log())
        self.drain()
        process = self.start_with(kept, name)
        self.hear("FDSTOREREMOVE=1")
        self.let_go()
        self.expect("READY=1")
        self.stop(process)

    def test_credentials(self):
        for owner, mode in (os.geteuid(), 0o400), (0, 0o440):
            with self.subTest(owner=owner, mode=oct(mode)):
                if owner != os.geteuid():
                    self.skipTest("only root can give a file to root")
                self.write("sockwright.token", TOKEN + "\n", mode)
                process = self.start(CREDENTIALS_DIRECTORY=self.directory.name, STATE_DIRECTORY="/nowhere")
                self.expect("READY=1")
                self.assertEqual(get(self.places[1], "/v1/sockets", TOKEN), 200)
                self.stop(process)

    def test_what_others_may_read_is_no_credential(self):
        for place, mode in ("CREDENTIALS_DIRECTORY", 0o444), ("STATE_DIRECTORY", 0o440):
            with self.subTest(place=place, mode=oct(mode)):
                self.write("sockwright.token", TOKEN + "\n", mode)
                process = self.start(**{"STATE_DIRECTORY": "/nowhere", place: self.directory.name})
                self.assertEqual(process.wait(DEADLINE_S), 1)
                self.assertIn("must be a plain file", self.log())


# What the keeper starts in the daemon's place: writes down what it is passed, and gives it one more set to keep.
FILLER = """#!/usr/bin/python3
import os, socket, sys
names = os.environ["LISTEN_FDNAMES"]
with open({runs!r}, "a") as runs:
    runs.write(names + "\\n")
with open({runs!r}) as runs:
    count = len(runs.readlines())
if count > len({sizes}):
    sys.exit(2)
notify = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
address = os.environ["NOTIFY_SOCKET"].replace("@", "\\0", 1)
fds = [os.open("/dev/null", os.O_RDONLY)] * {sizes}[count - 1]
notify.connect(address)
socket.send_fds(notify, [b"FDSTORE=1\\nFDPOLL=0\\nFDNAME=kept-%d" % count], fds)
notify.send(b"READY=1")
"""


class Keeper(unittest.TestCase):
    def test_sets_are_kept_whole(self):
        with tempfile.TemporaryDirectory(prefix="sockwright-keeper.") as directory:
            program, script, runs = (os.path.join(directory, name) for name in ("sockwrightd", "script", "runs"))
            shutil.copy(DAEMON, program)
            with open(script, "w", encoding="ascii") as file:
                file.write(FILLER.format(runs=runs, sizes=[100, 100, 100, 253]))
            os.chmod(script, 0o700)
            line = [program, "--keeper", "--listen", "127.0.0.1:0"]
            for name in "unix", "token-file":
                line += ["--" + name, os.path.join(directory, name)]
            environment = {key: value for key, value in os.environ.items() if key != "NOTIFY_SOCKET"}
            with open(os.path.join(directory, "log"), "w+b") as log, \
                    subprocess.Popen(line, env=environment, stdout=subprocess.PIPE, stderr=log) as keeper:
                self.addCleanup(keeper.kill)
                while not keeper.stdout.readline().startswith(b"listening on http"):
                    pass
                os.rename(script, program)
                with open(f"/proc/{keeper.pid}/task/{keeper.pid}/children", encoding="ascii") as children:
                    os.kill(int(children.read().split()[0]), signal.SIGKILL)
                self.assertEqual(keeper.wait(DEADLINE_S), 2)
                log.seek(0)
                said = log.read().decode()
            with open(runs, encoding="ascii") as file:
                passed = [collections.Counter(run.strip().split(":")) for run in file]
        left = next(name for name in passed[0] if name.startswith("kept-"))
        self.assertEqual(passed[2], {"listeners": 2, left: 1, "kept-1": 100, "kept-2": 100})
        self.assertEqual(passed[3], {"listeners": 2, "kept-2": 100, "kept-3": 100})
        self.assertEqual(passed[4], {"listeners": 2, "kept-4": 253})
        for name in left, "kept-1", "kept-2", "kept-3":
            self.assertIn(f"keeper: no room: \"{name}\" is let go of", said)


if __name__ == "__main__":
    unittest.main()
