"""The services of our three programs: systemd units, and tasks of Windows. Here are only texts.

Each program describes itself by a `Service`. `deploy/` has the same units, for a virtual environment in
`/opt/minewarden`.
"""

from dataclasses import dataclass
from pathlib import PurePath, PurePosixPath
from xml.sax.saxutils import escape

# For a program that needs no rights at all. What each line does: systemd.exec(5).
HARDENING = (
    "NoNewPrivileges=yes",
    "ProtectSystem=strict",
    "ProtectHome=yes",
    "PrivateTmp=yes",
    "PrivateDevices=yes",
    "ProtectClock=yes",
    "ProtectControlGroups=yes",
    "ProtectHostname=yes",
    "ProtectKernelLogs=yes",
    "ProtectKernelModules=yes",
    "ProtectKernelTunables=yes",
    "ProtectProc=invisible",
    "LockPersonality=yes",
    "RestrictNamespaces=yes",
    "RestrictRealtime=yes",
    "RestrictSUIDSGID=yes",
    "RestrictAddressFamilies=AF_INET AF_INET6 AF_UNIX AF_NETLINK",
    "SystemCallArchitectures=native",
    "SystemCallFilter=@system-service",
    "SystemCallErrorNumber=EPERM",  # libuv tries io_uring, and does without it
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Service:
    """A program as a service. `account` is the user that it runs as; without one it is root.

    `children` is the user of the programs that it starts, if that is another one. They may enter its data directory.
    `setting` is the name of its setting for the data directory. `about` and `lines` stand in the unit's section
    `[Service]`: a comment, and what is its own.
    """

    name: str
    title: str
    program: str
    argument: str
    setting: str
    account: str | None
    children: str | None = None
    about: str = ""
    lines: tuple[str, ...] = ()

    @property
    def data_dir(self) -> PurePosixPath:
        return PurePosixPath("/var/lib", self.name)

    @property
    def settings_file(self) -> PurePosixPath:
        return PurePosixPath("/etc/minewarden", f"{self.name.removeprefix('minewarden-')}.env")


def unit_text(service: Service, command: str, data_dir: PurePath | None = None) -> str:
    """Returns the systemd unit. `command` starts the program; another `data_dir` than the usual one must exist."""
    own_dir = [f"ReadWritePaths={data_dir}"]
    if data_dir is None or data_dir == service.data_dir:
        own_dir = [f"StateDirectory={service.name}", f"StateDirectoryMode={'0711' if service.children else '0700'}"]
    lines = [
        "[Unit]",
        f"Description={service.title}",
        "Wants=network-online.target",
        "After=network-online.target",
        "",
        "[Service]",
        *([f"# {service.about}"] if service.about else []),
        *([f"User={service.account}"] if service.account else []),
        *own_dir,
        f"Environment={service.setting}={data_dir or service.data_dir}",
        f"EnvironmentFile=-{service.settings_file}",
        f"ExecStart={command}",
        "Restart=always",
        *service.lines,
        "",
        "[Install]",
        "WantedBy=multi-user.target",
    ]
    return "\n".join(lines) + "\n"


def task_xml(service: Service, command: str, data_dir: PurePath) -> str:
    """Returns a scheduled task of Windows that starts with the machine, as SYSTEM, and again a minute after an end.

    A task has no environment of its own, so `cmd` sets the data directory. The format:
    https://learn.microsoft.com/windows/win32/taskschd/task-scheduler-schema
    """
    words = f'/d /c "set "{service.setting}={data_dir}" && {command}"'
    return f"""<?xml version="1.0" encoding="UTF-16"?>
<Task version="1.2" xmlns="http://schemas.microsoft.com/windows/2004/02/mit/task">
  <RegistrationInfo><Description>{escape(service.title)}</Description></RegistrationInfo>
  <Triggers><BootTrigger><Enabled>true</Enabled></BootTrigger></Triggers>
  <Principals>
    <Principal id="Author"><UserId>S-1-5-18</UserId><RunLevel>HighestAvailable</RunLevel></Principal>
  </Principals>
  <Settings>
    <MultipleInstancesPolicy>IgnoreNew</MultipleInstancesPolicy>
    <DisallowStartIfOnBatteries>false</DisallowStartIfOnBatteries>
    <StopIfGoingOnBatteries>false</StopIfGoingOnBatteries>
    <ExecutionTimeLimit>PT0S</ExecutionTimeLimit>
    <RestartOnFailure><Interval>PT1M</Interval><Count>999</Count></RestartOnFailure>
  </Settings>
  <Actions Context="Author"><Exec><Command>cmd.exe</Command><Arguments>{escape(words)}</Arguments></Exec></Actions>
</Task>
"""
