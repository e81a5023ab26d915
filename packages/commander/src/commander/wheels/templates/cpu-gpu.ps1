# Installs or removes Minewarden's sentry for CPU/GPU rigs. All that it fetches comes from the commander at
# @ADDRESS@.
param([string] $Token = '', [switch] $DryRun, [switch] $NoStart, [switch] $Uninstall)
$ErrorActionPreference = 'Stop'

$Url = @URL@
$Version = @VERSION@
$Distribution = @DISTRIBUTION@
$PipWheel = @PIP_WHEEL@
$PipSha256 = @PIP_SHA256@
$Root = Join-Path $env:ProgramData 'Minewarden\cpu-gpu-sentry'
$Environment = Join-Path $Root "versions\$Version"
$Python = Join-Path $Environment 'Scripts\python.exe'
$Ca = @'
@CA@
'@

function Stop-With([string] $Sentence) { [Console]::Error.WriteLine("cpu-gpu-sentry: $Sentence"); exit 1 }
function Test-Last([string] $Sentence) { if ($LASTEXITCODE -ne 0) { Stop-With $Sentence } }

function Find-Python {
    $ErrorActionPreference = 'Continue' # else a version that is missing would be an error
    if (-not (Get-Command py -ErrorAction SilentlyContinue)) { Stop-With 'Python is missing; install 3.11 or newer from python.org, for all users.' }
    foreach ($version in '3.14', '3.13', '3.12', '3.11') {
        $path = & py "-$version" -c 'import sys; print(sys.executable)' 2>$null
        if ($LASTEXITCODE -eq 0 -and $path) { return $path }
    }
    Stop-With 'Python 3.11, 3.12, 3.13 or 3.14 is needed; install it from python.org, for all users.'
}

function Install-Sentry {
    if ($Token -notmatch '^mw_(rig|farm)_') { Stop-With 'The token is missing or of another kind; copy the whole line from the commander.' }
    $base = Find-Python
    if ($DryRun) {
        "This would, and nothing was changed now:"
        "- install $Distribution $Version from $Url/packages/ into $Root, by $base"
        "- connect it to $Url with this token"
        "- write the scheduled task minewarden-cpu-gpu-sentry, and start it"
        return
    }
    New-Item -ItemType Directory -Force -Path $Root | Out-Null
    icacls $Root /inheritance:r /grant:r '*S-1-5-18:(OI)(CI)F' '*S-1-5-32-544:(OI)(CI)F' | Out-Null
    Test-Last "The rights of $Root can't be set."
    if (-not (Test-Path (Join-Path $Environment '.installed'))) { Install-Version $base }
    Send-Installed
    $env:CPU_GPU_SENTRY_DATA_DIR = $Root
    & $Python -I -m cpu_gpu_sentry enroll --url $Url --token $Token
    Test-Last 'The sentry is installed, and not enrolled; see above.'
    if ($NoStart) { & $Python -I -m cpu_gpu_sentry install-service --no-start } else { & $Python -I -m cpu_gpu_sentry install-service }
    Test-Last 'The scheduled task could not be made; see above.'
    "The rig's page is in the commander: $Url/cpu-gpu"
}

function Install-Version([string] $Base) {
    "Installing version $Version into $Root ..."
    if (Test-Path $Environment) { Remove-Item -Recurse -Force $Environment }
    $work = New-Item -ItemType Directory -Path (Join-Path $Root ".work-$PID")
    try {
        $caFile = Join-Path $work 'ca.pem'
        [IO.File]::WriteAllText($caFile, $Ca)
        $hasCa = $Ca -match 'BEGIN'
        $pip = Join-Path $work $PipWheel
        $code = 'import hashlib, ssl, sys, urllib.request as r; u, h, p, c = sys.argv[1:]; ' +
            'w = r.build_opener(r.HTTPSHandler(context=ssl.create_default_context(cafile=None if c == chr(45) else c)), r.ProxyHandler({})).open(u, timeout=60).read(); ' +
            'assert hashlib.sha256(w).hexdigest() == h; open(p, chr(119) + chr(98)).write(w)'
        & $Base -I -c $code "$Url/packages/files/$PipWheel" $PipSha256 $pip $(if ($hasCa) { $caFile } else { '-' })
        Test-Last "$Url could not be read; check the network, and the name and the port of the commander."
        & $Base -I -m venv --without-pip $Environment
        Test-Last "The virtual environment $Environment can't be made."
        $trust = if ($hasCa) { @('--cert', $caFile) } else { @() }
        $env:PIP_CONFIG_FILE = 'NUL'
        & $Python (Join-Path $pip 'pip') install --isolated --quiet --no-input --no-cache-dir --disable-pip-version-check `
            --only-binary :all: --index-url "$Url/packages/" @trust "$Distribution==$Version"
        Test-Last "The sentry can't be installed from $Url/packages/; type the line again."
        New-Item -ItemType File -Path (Join-Path $Environment '.installed') | Out-Null
    } finally {
        Remove-Item -Recurse -Force $work
    }
}

function Send-Installed { # for the page with the line; without this step the sentry is installed as well
    $ErrorActionPreference = 'Continue'
    $env:MINEWARDEN_TOKEN = $Token
    $env:MINEWARDEN_CA = if ($Ca -match 'BEGIN') { $Ca } else { '' }
    $code = 'import os, ssl, sys, urllib.request as r; s = ssl.create_default_context(cadata=os.environ.get(''MINEWARDEN_CA'') or None); ' +
        'q = r.Request(sys.argv[1], data=b'''', headers={''Authorization'': ''Bearer '' + os.environ[''MINEWARDEN_TOKEN'']}, method=''POST''); ' +
        'r.build_opener(r.HTTPSHandler(context=s), r.ProxyHandler({})).open(q, timeout=10).close()'
    & $Python -I -c $code "$Url/api/v1/sentry/installed" 2>$null
    Remove-Item Env:MINEWARDEN_TOKEN, Env:MINEWARDEN_CA -ErrorAction SilentlyContinue
}

function Remove-Sentry {
    if ($DryRun) { "This would stop mining by playbooks, remove the scheduled task minewarden-cpu-gpu-sentry and $Root; nothing was changed now."; return }
    "Mining by playbooks stops now on this rig."
    $env:CPU_GPU_SENTRY_DATA_DIR = $Root
    if (Test-Path $Python) {
        & $Python -I -m cpu_gpu_sentry leave --yes | Out-Null
        & $Python -I -m cpu_gpu_sentry uninstall-service
    }
    if (Test-Path $Root) { Remove-Item -Recurse -Force $Root }
    "The sentry is removed. The commander still lists the rig; remove it there."
}

$me = [Security.Principal.WindowsPrincipal] [Security.Principal.WindowsIdentity]::GetCurrent()
if (-not $DryRun -and -not $me.IsInRole([Security.Principal.WindowsBuiltInRole]::Administrator)) {
    Stop-With 'This needs an administrator: open PowerShell with "Run as administrator".'
}
if ($Uninstall) { Remove-Sentry } else { Install-Sentry }
