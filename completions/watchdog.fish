# Print an optspec for argparse to handle cmd's options that are independent of any subcommand.
function __fish_watchdog_global_optspecs
    string join \n c/config-dir= data-dir= socket= json color= h/help V/version
end

function __fish_watchdog_needs_command
    # Figure out if the current invocation already has a command.
    set -l cmd (commandline -opc)
    set -e cmd[1]
    argparse -s (__fish_watchdog_global_optspecs) -- $cmd 2>/dev/null
    or return
    if set -q argv[1]
        # Also print the command, so this can be used to figure out what it is.
        echo $argv[1]
        return 1
    end
    return 0
end

function __fish_watchdog_using_subcommand
    set -l cmd (__fish_watchdog_needs_command)
    test -z "$cmd"
    and return 1
    contains -- $cmd[1] $argv
end

complete -c watchdog -n "__fish_watchdog_needs_command" -s c -l config-dir -d 'Directory of the configuration [env: WATCHDOG_CONFIG_DIR] [default: . if it holds monitors.d, else ~/.config/watchdog, else /etc/watchdog]' -r -F
complete -c watchdog -n "__fish_watchdog_needs_command" -l data-dir -d 'Directory of the state [env: WATCHDOG_DATA_DIR] [default: ~/.local/state/watchdog; root: /var/lib/watchdog]' -r -F
complete -c watchdog -n "__fish_watchdog_needs_command" -l socket -d 'Unix socket of the server [env: WATCHDOG_SOCKET] [default: $XDG_RUNTIME_DIR/watchdog.sock, else in the data directory]' -r -F
complete -c watchdog -n "__fish_watchdog_needs_command" -l color -d 'When to use colours: auto, always or never' -r -f -a "auto\t'On a terminal, unless `NO_COLOR` is set'
always\t'Always'
never\t'Never'"
complete -c watchdog -n "__fish_watchdog_needs_command" -l json -d 'Print JSON'
complete -c watchdog -n "__fish_watchdog_needs_command" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c watchdog -n "__fish_watchdog_needs_command" -s V -l version -d 'Print version'
complete -c watchdog -n "__fish_watchdog_needs_command" -f -a "serve" -d 'Run the engine and its API; needs no terminal'
complete -c watchdog -n "__fish_watchdog_needs_command" -f -a "tui" -d 'Show the terminal interface of a running server'
complete -c watchdog -n "__fish_watchdog_needs_command" -f -a "init" -d 'Write a starter configuration that watches this machine'
complete -c watchdog -n "__fish_watchdog_needs_command" -f -a "check" -d 'Check the configuration and list every mistake with its place; needs no server'
complete -c watchdog -n "__fish_watchdog_needs_command" -f -a "reload" -d 'Load the configuration directory now'
complete -c watchdog -n "__fish_watchdog_needs_command" -f -a "status" -d 'Tell how everything is; exit code 1 when a monitor is down'
complete -c watchdog -n "__fish_watchdog_needs_command" -f -a "monitor" -d 'Look at monitors, or probe one now'
complete -c watchdog -n "__fish_watchdog_needs_command" -f -a "alert" -d 'Look at alerts, and say that you have one'
complete -c watchdog -n "__fish_watchdog_needs_command" -f -a "rule" -d 'Look at rules, or evaluate one'
complete -c watchdog -n "__fish_watchdog_needs_command" -f -a "why" -d 'Tell why somebody was told of something, or why not; exit code 1 when not'
complete -c watchdog -n "__fish_watchdog_needs_command" -f -a "silence" -d 'Keep alerts from being told for a while'
complete -c watchdog -n "__fish_watchdog_needs_command" -f -a "maintenance" -d 'Look at maintenance windows'
complete -c watchdog -n "__fish_watchdog_needs_command" -f -a "notify" -d 'Look at notifiers and what they were sent, test them, send again'
complete -c watchdog -n "__fish_watchdog_needs_command" -f -a "drill" -d 'Send a marked alert the whole way, and tell when each notifier took it'
complete -c watchdog -n "__fish_watchdog_needs_command" -f -a "query" -d 'Ask for metrics in PromQL: now, at a time, or over a range'
complete -c watchdog -n "__fish_watchdog_needs_command" -f -a "sla" -d 'Report how available monitors were'
complete -c watchdog -n "__fish_watchdog_needs_command" -f -a "probe" -d 'Probe a target once, without a server and without files'
complete -c watchdog -n "__fish_watchdog_needs_command" -f -a "push" -d 'Tell a heartbeat monitor how a job fares, or run the job and tell it all'
complete -c watchdog -n "__fish_watchdog_needs_command" -f -a "tsdb" -d 'Look at the store of samples, or delete from it'
complete -c watchdog -n "__fish_watchdog_needs_command" -f -a "completions" -d 'Print the completions of a shell'
complete -c watchdog -n "__fish_watchdog_needs_command" -f -a "man" -d 'Print the manual page, or write all pages'
complete -c watchdog -n "__fish_watchdog_needs_command" -f -a "help" -d 'Print this message or the help of the given subcommand(s)'
complete -c watchdog -n "__fish_watchdog_using_subcommand serve" -l listen -d 'Also answer HTTP on this loopback address; port 0 takes a free one [env: WATCHDOG_LISTEN]' -r
complete -c watchdog -n "__fish_watchdog_using_subcommand serve" -s c -l config-dir -d 'Directory of the configuration [env: WATCHDOG_CONFIG_DIR] [default: . if it holds monitors.d, else ~/.config/watchdog, else /etc/watchdog]' -r -F
complete -c watchdog -n "__fish_watchdog_using_subcommand serve" -l data-dir -d 'Directory of the state [env: WATCHDOG_DATA_DIR] [default: ~/.local/state/watchdog; root: /var/lib/watchdog]' -r -F
complete -c watchdog -n "__fish_watchdog_using_subcommand serve" -l socket -d 'Unix socket of the server [env: WATCHDOG_SOCKET] [default: $XDG_RUNTIME_DIR/watchdog.sock, else in the data directory]' -r -F
complete -c watchdog -n "__fish_watchdog_using_subcommand serve" -l color -d 'When to use colours: auto, always or never' -r -f -a "auto\t'On a terminal, unless `NO_COLOR` is set'
always\t'Always'
never\t'Never'"
complete -c watchdog -n "__fish_watchdog_using_subcommand serve" -l strict -d 'Refuse to start when the configuration has errors'
complete -c watchdog -n "__fish_watchdog_using_subcommand serve" -l json -d 'Print JSON'
complete -c watchdog -n "__fish_watchdog_using_subcommand serve" -s h -l help -d 'Print help'
complete -c watchdog -n "__fish_watchdog_using_subcommand tui; and not __fish_seen_subcommand_from explore help" -l glyphs -d 'Which characters to draw with' -r -f -a "auto\t'As the locale says'
unicode\t'Lines, blocks and dots of Unicode'
ascii\t'Nothing beyond ASCII'"
complete -c watchdog -n "__fish_watchdog_using_subcommand tui; and not __fish_seen_subcommand_from explore help" -s c -l config-dir -d 'Directory of the configuration [env: WATCHDOG_CONFIG_DIR] [default: . if it holds monitors.d, else ~/.config/watchdog, else /etc/watchdog]' -r -F
complete -c watchdog -n "__fish_watchdog_using_subcommand tui; and not __fish_seen_subcommand_from explore help" -l data-dir -d 'Directory of the state [env: WATCHDOG_DATA_DIR] [default: ~/.local/state/watchdog; root: /var/lib/watchdog]' -r -F
complete -c watchdog -n "__fish_watchdog_using_subcommand tui; and not __fish_seen_subcommand_from explore help" -l socket -d 'Unix socket of the server [env: WATCHDOG_SOCKET] [default: $XDG_RUNTIME_DIR/watchdog.sock, else in the data directory]' -r -F
complete -c watchdog -n "__fish_watchdog_using_subcommand tui; and not __fish_seen_subcommand_from explore help" -l color -d 'When to use colours: auto, always or never' -r -f -a "auto\t'On a terminal, unless `NO_COLOR` is set'
always\t'Always'
never\t'Never'"
complete -c watchdog -n "__fish_watchdog_using_subcommand tui; and not __fish_seen_subcommand_from explore help" -l read-only -d 'Offer nothing that changes anything'
complete -c watchdog -n "__fish_watchdog_using_subcommand tui; and not __fish_seen_subcommand_from explore help" -l json -d 'Print JSON'
complete -c watchdog -n "__fish_watchdog_using_subcommand tui; and not __fish_seen_subcommand_from explore help" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c watchdog -n "__fish_watchdog_using_subcommand tui; and not __fish_seen_subcommand_from explore help" -a "explore" -d 'Open the chart of a query in PromQL'
complete -c watchdog -n "__fish_watchdog_using_subcommand tui; and not __fish_seen_subcommand_from explore help" -a "help" -d 'Print this message or the help of the given subcommand(s)'
complete -c watchdog -n "__fish_watchdog_using_subcommand tui; and __fish_seen_subcommand_from explore" -l range -d 'Length of the range, such as `6h` [default: 1h]' -r
complete -c watchdog -n "__fish_watchdog_using_subcommand tui; and __fish_seen_subcommand_from explore" -l end -d 'End of the range: RFC 3339, Unix seconds, `now-1h` or `-1h` [default: now, and follow it]' -r
complete -c watchdog -n "__fish_watchdog_using_subcommand tui; and __fish_seen_subcommand_from explore" -l glyphs -d 'Which characters to draw with' -r -f -a "auto\t'As the locale says'
unicode\t'Lines, blocks and dots of Unicode'
ascii\t'Nothing beyond ASCII'"
complete -c watchdog -n "__fish_watchdog_using_subcommand tui; and __fish_seen_subcommand_from explore" -s c -l config-dir -d 'Directory of the configuration [env: WATCHDOG_CONFIG_DIR] [default: . if it holds monitors.d, else ~/.config/watchdog, else /etc/watchdog]' -r -F
complete -c watchdog -n "__fish_watchdog_using_subcommand tui; and __fish_seen_subcommand_from explore" -l data-dir -d 'Directory of the state [env: WATCHDOG_DATA_DIR] [default: ~/.local/state/watchdog; root: /var/lib/watchdog]' -r -F
complete -c watchdog -n "__fish_watchdog_using_subcommand tui; and __fish_seen_subcommand_from explore" -l socket -d 'Unix socket of the server [env: WATCHDOG_SOCKET] [default: $XDG_RUNTIME_DIR/watchdog.sock, else in the data directory]' -r -F
complete -c watchdog -n "__fish_watchdog_using_subcommand tui; and __fish_seen_subcommand_from explore" -l color -d 'When to use colours: auto, always or never' -r -f -a "auto\t'On a terminal, unless `NO_COLOR` is set'
always\t'Always'
never\t'Never'"
complete -c watchdog -n "__fish_watchdog_using_subcommand tui; and __fish_seen_subcommand_from explore" -l json -d 'Print JSON'
complete -c watchdog -n "__fish_watchdog_using_subcommand tui; and __fish_seen_subcommand_from explore" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c watchdog -n "__fish_watchdog_using_subcommand tui; and __fish_seen_subcommand_from help" -f -a "explore" -d 'Open the chart of a query in PromQL'
complete -c watchdog -n "__fish_watchdog_using_subcommand tui; and __fish_seen_subcommand_from help" -f -a "help" -d 'Print this message or the help of the given subcommand(s)'
complete -c watchdog -n "__fish_watchdog_using_subcommand init" -s c -l config-dir -d 'Directory of the configuration [env: WATCHDOG_CONFIG_DIR] [default: . if it holds monitors.d, else ~/.config/watchdog, else /etc/watchdog]' -r -F
complete -c watchdog -n "__fish_watchdog_using_subcommand init" -l data-dir -d 'Directory of the state [env: WATCHDOG_DATA_DIR] [default: ~/.local/state/watchdog; root: /var/lib/watchdog]' -r -F
complete -c watchdog -n "__fish_watchdog_using_subcommand init" -l socket -d 'Unix socket of the server [env: WATCHDOG_SOCKET] [default: $XDG_RUNTIME_DIR/watchdog.sock, else in the data directory]' -r -F
complete -c watchdog -n "__fish_watchdog_using_subcommand init" -l color -d 'When to use colours: auto, always or never' -r -f -a "auto\t'On a terminal, unless `NO_COLOR` is set'
always\t'Always'
never\t'Never'"
complete -c watchdog -n "__fish_watchdog_using_subcommand init" -l json -d 'Print JSON'
complete -c watchdog -n "__fish_watchdog_using_subcommand init" -s h -l help -d 'Print help'
complete -c watchdog -n "__fish_watchdog_using_subcommand check" -s c -l config-dir -d 'Directory of the configuration [env: WATCHDOG_CONFIG_DIR] [default: . if it holds monitors.d, else ~/.config/watchdog, else /etc/watchdog]' -r -F
complete -c watchdog -n "__fish_watchdog_using_subcommand check" -l data-dir -d 'Directory of the state [env: WATCHDOG_DATA_DIR] [default: ~/.local/state/watchdog; root: /var/lib/watchdog]' -r -F
complete -c watchdog -n "__fish_watchdog_using_subcommand check" -l socket -d 'Unix socket of the server [env: WATCHDOG_SOCKET] [default: $XDG_RUNTIME_DIR/watchdog.sock, else in the data directory]' -r -F
complete -c watchdog -n "__fish_watchdog_using_subcommand check" -l color -d 'When to use colours: auto, always or never' -r -f -a "auto\t'On a terminal, unless `NO_COLOR` is set'
always\t'Always'
never\t'Never'"
complete -c watchdog -n "__fish_watchdog_using_subcommand check" -l json -d 'Print JSON'
complete -c watchdog -n "__fish_watchdog_using_subcommand check" -s h -l help -d 'Print help'
complete -c watchdog -n "__fish_watchdog_using_subcommand reload" -s c -l config-dir -d 'Directory of the configuration [env: WATCHDOG_CONFIG_DIR] [default: . if it holds monitors.d, else ~/.config/watchdog, else /etc/watchdog]' -r -F
complete -c watchdog -n "__fish_watchdog_using_subcommand reload" -l data-dir -d 'Directory of the state [env: WATCHDOG_DATA_DIR] [default: ~/.local/state/watchdog; root: /var/lib/watchdog]' -r -F
complete -c watchdog -n "__fish_watchdog_using_subcommand reload" -l socket -d 'Unix socket of the server [env: WATCHDOG_SOCKET] [default: $XDG_RUNTIME_DIR/watchdog.sock, else in the data directory]' -r -F
complete -c watchdog -n "__fish_watchdog_using_subcommand reload" -l color -d 'When to use colours: auto, always or never' -r -f -a "auto\t'On a terminal, unless `NO_COLOR` is set'
always\t'Always'
never\t'Never'"
complete -c watchdog -n "__fish_watchdog_using_subcommand reload" -l json -d 'Print JSON'
complete -c watchdog -n "__fish_watchdog_using_subcommand reload" -s h -l help -d 'Print help'
complete -c watchdog -n "__fish_watchdog_using_subcommand status" -s c -l config-dir -d 'Directory of the configuration [env: WATCHDOG_CONFIG_DIR] [default: . if it holds monitors.d, else ~/.config/watchdog, else /etc/watchdog]' -r -F
complete -c watchdog -n "__fish_watchdog_using_subcommand status" -l data-dir -d 'Directory of the state [env: WATCHDOG_DATA_DIR] [default: ~/.local/state/watchdog; root: /var/lib/watchdog]' -r -F
complete -c watchdog -n "__fish_watchdog_using_subcommand status" -l socket -d 'Unix socket of the server [env: WATCHDOG_SOCKET] [default: $XDG_RUNTIME_DIR/watchdog.sock, else in the data directory]' -r -F
complete -c watchdog -n "__fish_watchdog_using_subcommand status" -l color -d 'When to use colours: auto, always or never' -r -f -a "auto\t'On a terminal, unless `NO_COLOR` is set'
always\t'Always'
never\t'Never'"
complete -c watchdog -n "__fish_watchdog_using_subcommand status" -s w -l watch -d 'Show it again with every change, until interrupted; with `--json` one value per line'
complete -c watchdog -n "__fish_watchdog_using_subcommand status" -l json -d 'Print JSON'
complete -c watchdog -n "__fish_watchdog_using_subcommand status" -s h -l help -d 'Print help'
complete -c watchdog -n "__fish_watchdog_using_subcommand monitor; and not __fish_seen_subcommand_from list show run history help" -s c -l config-dir -d 'Directory of the configuration [env: WATCHDOG_CONFIG_DIR] [default: . if it holds monitors.d, else ~/.config/watchdog, else /etc/watchdog]' -r -F
complete -c watchdog -n "__fish_watchdog_using_subcommand monitor; and not __fish_seen_subcommand_from list show run history help" -l data-dir -d 'Directory of the state [env: WATCHDOG_DATA_DIR] [default: ~/.local/state/watchdog; root: /var/lib/watchdog]' -r -F
complete -c watchdog -n "__fish_watchdog_using_subcommand monitor; and not __fish_seen_subcommand_from list show run history help" -l socket -d 'Unix socket of the server [env: WATCHDOG_SOCKET] [default: $XDG_RUNTIME_DIR/watchdog.sock, else in the data directory]' -r -F
complete -c watchdog -n "__fish_watchdog_using_subcommand monitor; and not __fish_seen_subcommand_from list show run history help" -l color -d 'When to use colours: auto, always or never' -r -f -a "auto\t'On a terminal, unless `NO_COLOR` is set'
always\t'Always'
never\t'Never'"
complete -c watchdog -n "__fish_watchdog_using_subcommand monitor; and not __fish_seen_subcommand_from list show run history help" -l json -d 'Print JSON'
complete -c watchdog -n "__fish_watchdog_using_subcommand monitor; and not __fish_seen_subcommand_from list show run history help" -s h -l help -d 'Print help'
complete -c watchdog -n "__fish_watchdog_using_subcommand monitor; and not __fish_seen_subcommand_from list show run history help" -f -a "list" -d 'List monitors, the broken ones first'
complete -c watchdog -n "__fish_watchdog_using_subcommand monitor; and not __fish_seen_subcommand_from list show run history help" -f -a "show" -d 'Show everything about one monitor; exit code 1 when it is down'
complete -c watchdog -n "__fish_watchdog_using_subcommand monitor; and not __fish_seen_subcommand_from list show run history help" -f -a "run" -d 'Probe a monitor now, outside its schedule; exit code 1 when the probe fails'
complete -c watchdog -n "__fish_watchdog_using_subcommand monitor; and not __fish_seen_subcommand_from list show run history help" -f -a "history" -d 'List the kept results of a monitor, newest last'
complete -c watchdog -n "__fish_watchdog_using_subcommand monitor; and not __fish_seen_subcommand_from list show run history help" -f -a "help" -d 'Print this message or the help of the given subcommand(s)'
complete -c watchdog -n "__fish_watchdog_using_subcommand monitor; and __fish_seen_subcommand_from list" -l state -d 'Only monitors in these states' -r -f -a "down\t''
degraded\t''
unknown\t''
pending\t''
up\t''
paused\t''"
complete -c watchdog -n "__fish_watchdog_using_subcommand monitor; and __fish_seen_subcommand_from list" -l type -d 'Only monitors of these types' -r
complete -c watchdog -n "__fish_watchdog_using_subcommand monitor; and __fish_seen_subcommand_from list" -l label -d 'Only monitors with this label; may be given more than once' -r
complete -c watchdog -n "__fish_watchdog_using_subcommand monitor; and __fish_seen_subcommand_from list" -s c -l config-dir -d 'Directory of the configuration [env: WATCHDOG_CONFIG_DIR] [default: . if it holds monitors.d, else ~/.config/watchdog, else /etc/watchdog]' -r -F
complete -c watchdog -n "__fish_watchdog_using_subcommand monitor; and __fish_seen_subcommand_from list" -l data-dir -d 'Directory of the state [env: WATCHDOG_DATA_DIR] [default: ~/.local/state/watchdog; root: /var/lib/watchdog]' -r -F
complete -c watchdog -n "__fish_watchdog_using_subcommand monitor; and __fish_seen_subcommand_from list" -l socket -d 'Unix socket of the server [env: WATCHDOG_SOCKET] [default: $XDG_RUNTIME_DIR/watchdog.sock, else in the data directory]' -r -F
complete -c watchdog -n "__fish_watchdog_using_subcommand monitor; and __fish_seen_subcommand_from list" -l color -d 'When to use colours: auto, always or never' -r -f -a "auto\t'On a terminal, unless `NO_COLOR` is set'
always\t'Always'
never\t'Never'"
complete -c watchdog -n "__fish_watchdog_using_subcommand monitor; and __fish_seen_subcommand_from list" -l json -d 'Print JSON'
complete -c watchdog -n "__fish_watchdog_using_subcommand monitor; and __fish_seen_subcommand_from list" -s h -l help -d 'Print help'
complete -c watchdog -n "__fish_watchdog_using_subcommand monitor; and __fish_seen_subcommand_from show" -s c -l config-dir -d 'Directory of the configuration [env: WATCHDOG_CONFIG_DIR] [default: . if it holds monitors.d, else ~/.config/watchdog, else /etc/watchdog]' -r -F
complete -c watchdog -n "__fish_watchdog_using_subcommand monitor; and __fish_seen_subcommand_from show" -l data-dir -d 'Directory of the state [env: WATCHDOG_DATA_DIR] [default: ~/.local/state/watchdog; root: /var/lib/watchdog]' -r -F
complete -c watchdog -n "__fish_watchdog_using_subcommand monitor; and __fish_seen_subcommand_from show" -l socket -d 'Unix socket of the server [env: WATCHDOG_SOCKET] [default: $XDG_RUNTIME_DIR/watchdog.sock, else in the data directory]' -r -F
complete -c watchdog -n "__fish_watchdog_using_subcommand monitor; and __fish_seen_subcommand_from show" -l color -d 'When to use colours: auto, always or never' -r -f -a "auto\t'On a terminal, unless `NO_COLOR` is set'
always\t'Always'
never\t'Never'"
complete -c watchdog -n "__fish_watchdog_using_subcommand monitor; and __fish_seen_subcommand_from show" -l json -d 'Print JSON'
complete -c watchdog -n "__fish_watchdog_using_subcommand monitor; and __fish_seen_subcommand_from show" -s h -l help -d 'Print help'
complete -c watchdog -n "__fish_watchdog_using_subcommand monitor; and __fish_seen_subcommand_from run" -s c -l config-dir -d 'Directory of the configuration [env: WATCHDOG_CONFIG_DIR] [default: . if it holds monitors.d, else ~/.config/watchdog, else /etc/watchdog]' -r -F
complete -c watchdog -n "__fish_watchdog_using_subcommand monitor; and __fish_seen_subcommand_from run" -l data-dir -d 'Directory of the state [env: WATCHDOG_DATA_DIR] [default: ~/.local/state/watchdog; root: /var/lib/watchdog]' -r -F
complete -c watchdog -n "__fish_watchdog_using_subcommand monitor; and __fish_seen_subcommand_from run" -l socket -d 'Unix socket of the server [env: WATCHDOG_SOCKET] [default: $XDG_RUNTIME_DIR/watchdog.sock, else in the data directory]' -r -F
complete -c watchdog -n "__fish_watchdog_using_subcommand monitor; and __fish_seen_subcommand_from run" -l color -d 'When to use colours: auto, always or never' -r -f -a "auto\t'On a terminal, unless `NO_COLOR` is set'
always\t'Always'
never\t'Never'"
complete -c watchdog -n "__fish_watchdog_using_subcommand monitor; and __fish_seen_subcommand_from run" -l json -d 'Print JSON'
complete -c watchdog -n "__fish_watchdog_using_subcommand monitor; and __fish_seen_subcommand_from run" -s h -l help -d 'Print help'
complete -c watchdog -n "__fish_watchdog_using_subcommand monitor; and __fish_seen_subcommand_from history" -s l -l limit -d 'How many results' -r
complete -c watchdog -n "__fish_watchdog_using_subcommand monitor; and __fish_seen_subcommand_from history" -s c -l config-dir -d 'Directory of the configuration [env: WATCHDOG_CONFIG_DIR] [default: . if it holds monitors.d, else ~/.config/watchdog, else /etc/watchdog]' -r -F
complete -c watchdog -n "__fish_watchdog_using_subcommand monitor; and __fish_seen_subcommand_from history" -l data-dir -d 'Directory of the state [env: WATCHDOG_DATA_DIR] [default: ~/.local/state/watchdog; root: /var/lib/watchdog]' -r -F
complete -c watchdog -n "__fish_watchdog_using_subcommand monitor; and __fish_seen_subcommand_from history" -l socket -d 'Unix socket of the server [env: WATCHDOG_SOCKET] [default: $XDG_RUNTIME_DIR/watchdog.sock, else in the data directory]' -r -F
complete -c watchdog -n "__fish_watchdog_using_subcommand monitor; and __fish_seen_subcommand_from history" -l color -d 'When to use colours: auto, always or never' -r -f -a "auto\t'On a terminal, unless `NO_COLOR` is set'
always\t'Always'
never\t'Never'"
complete -c watchdog -n "__fish_watchdog_using_subcommand monitor; and __fish_seen_subcommand_from history" -l json -d 'Print JSON'
complete -c watchdog -n "__fish_watchdog_using_subcommand monitor; and __fish_seen_subcommand_from history" -s h -l help -d 'Print help'
complete -c watchdog -n "__fish_watchdog_using_subcommand monitor; and __fish_seen_subcommand_from help" -f -a "list" -d 'List monitors, the broken ones first'
complete -c watchdog -n "__fish_watchdog_using_subcommand monitor; and __fish_seen_subcommand_from help" -f -a "show" -d 'Show everything about one monitor; exit code 1 when it is down'
complete -c watchdog -n "__fish_watchdog_using_subcommand monitor; and __fish_seen_subcommand_from help" -f -a "run" -d 'Probe a monitor now, outside its schedule; exit code 1 when the probe fails'
complete -c watchdog -n "__fish_watchdog_using_subcommand monitor; and __fish_seen_subcommand_from help" -f -a "history" -d 'List the kept results of a monitor, newest last'
complete -c watchdog -n "__fish_watchdog_using_subcommand monitor; and __fish_seen_subcommand_from help" -f -a "help" -d 'Print this message or the help of the given subcommand(s)'
complete -c watchdog -n "__fish_watchdog_using_subcommand alert; and not __fish_seen_subcommand_from list show ack unack history help" -s c -l config-dir -d 'Directory of the configuration [env: WATCHDOG_CONFIG_DIR] [default: . if it holds monitors.d, else ~/.config/watchdog, else /etc/watchdog]' -r -F
complete -c watchdog -n "__fish_watchdog_using_subcommand alert; and not __fish_seen_subcommand_from list show ack unack history help" -l data-dir -d 'Directory of the state [env: WATCHDOG_DATA_DIR] [default: ~/.local/state/watchdog; root: /var/lib/watchdog]' -r -F
complete -c watchdog -n "__fish_watchdog_using_subcommand alert; and not __fish_seen_subcommand_from list show ack unack history help" -l socket -d 'Unix socket of the server [env: WATCHDOG_SOCKET] [default: $XDG_RUNTIME_DIR/watchdog.sock, else in the data directory]' -r -F
complete -c watchdog -n "__fish_watchdog_using_subcommand alert; and not __fish_seen_subcommand_from list show ack unack history help" -l color -d 'When to use colours: auto, always or never' -r -f -a "auto\t'On a terminal, unless `NO_COLOR` is set'
always\t'Always'
never\t'Never'"
complete -c watchdog -n "__fish_watchdog_using_subcommand alert; and not __fish_seen_subcommand_from list show ack unack history help" -l json -d 'Print JSON'
complete -c watchdog -n "__fish_watchdog_using_subcommand alert; and not __fish_seen_subcommand_from list show ack unack history help" -s h -l help -d 'Print help'
complete -c watchdog -n "__fish_watchdog_using_subcommand alert; and not __fish_seen_subcommand_from list show ack unack history help" -f -a "list" -d 'List pending, firing and recently resolved alerts'
complete -c watchdog -n "__fish_watchdog_using_subcommand alert; and not __fish_seen_subcommand_from list show ack unack history help" -f -a "show" -d 'Show everything about one alert; exit code 1 while it fires'
complete -c watchdog -n "__fish_watchdog_using_subcommand alert; and not __fish_seen_subcommand_from list show ack unack history help" -f -a "ack" -d 'Say that you have it: escalation and repeats pause'
complete -c watchdog -n "__fish_watchdog_using_subcommand alert; and not __fish_seen_subcommand_from list show ack unack history help" -f -a "unack" -d 'Take an acknowledgement back'
complete -c watchdog -n "__fish_watchdog_using_subcommand alert; and not __fish_seen_subcommand_from list show ack unack history help" -f -a "history" -d 'List what happened to alerts, newest last'
complete -c watchdog -n "__fish_watchdog_using_subcommand alert; and not __fish_seen_subcommand_from list show ack unack history help" -f -a "help" -d 'Print this message or the help of the given subcommand(s)'
complete -c watchdog -n "__fish_watchdog_using_subcommand alert; and __fish_seen_subcommand_from list" -l state -d 'Only alerts in these states' -r -f -a "pending\t'The condition holds, not yet long enough'
firing\t'It fires'
resolved\t'It is over'"
complete -c watchdog -n "__fish_watchdog_using_subcommand alert; and __fish_seen_subcommand_from list" -s c -l config-dir -d 'Directory of the configuration [env: WATCHDOG_CONFIG_DIR] [default: . if it holds monitors.d, else ~/.config/watchdog, else /etc/watchdog]' -r -F
complete -c watchdog -n "__fish_watchdog_using_subcommand alert; and __fish_seen_subcommand_from list" -l data-dir -d 'Directory of the state [env: WATCHDOG_DATA_DIR] [default: ~/.local/state/watchdog; root: /var/lib/watchdog]' -r -F
complete -c watchdog -n "__fish_watchdog_using_subcommand alert; and __fish_seen_subcommand_from list" -l socket -d 'Unix socket of the server [env: WATCHDOG_SOCKET] [default: $XDG_RUNTIME_DIR/watchdog.sock, else in the data directory]' -r -F
complete -c watchdog -n "__fish_watchdog_using_subcommand alert; and __fish_seen_subcommand_from list" -l color -d 'When to use colours: auto, always or never' -r -f -a "auto\t'On a terminal, unless `NO_COLOR` is set'
always\t'Always'
never\t'Never'"
complete -c watchdog -n "__fish_watchdog_using_subcommand alert; and __fish_seen_subcommand_from list" -l acked -d 'Only alerts that somebody has'
complete -c watchdog -n "__fish_watchdog_using_subcommand alert; and __fish_seen_subcommand_from list" -l unacked -d 'Only alerts that nobody has'
complete -c watchdog -n "__fish_watchdog_using_subcommand alert; and __fish_seen_subcommand_from list" -l muted -d 'Only alerts that a silence, a window, an inhibition or a dependency keeps from being told'
complete -c watchdog -n "__fish_watchdog_using_subcommand alert; and __fish_seen_subcommand_from list" -l json -d 'Print JSON'
complete -c watchdog -n "__fish_watchdog_using_subcommand alert; and __fish_seen_subcommand_from list" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c watchdog -n "__fish_watchdog_using_subcommand alert; and __fish_seen_subcommand_from show" -s c -l config-dir -d 'Directory of the configuration [env: WATCHDOG_CONFIG_DIR] [default: . if it holds monitors.d, else ~/.config/watchdog, else /etc/watchdog]' -r -F
complete -c watchdog -n "__fish_watchdog_using_subcommand alert; and __fish_seen_subcommand_from show" -l data-dir -d 'Directory of the state [env: WATCHDOG_DATA_DIR] [default: ~/.local/state/watchdog; root: /var/lib/watchdog]' -r -F
complete -c watchdog -n "__fish_watchdog_using_subcommand alert; and __fish_seen_subcommand_from show" -l socket -d 'Unix socket of the server [env: WATCHDOG_SOCKET] [default: $XDG_RUNTIME_DIR/watchdog.sock, else in the data directory]' -r -F
complete -c watchdog -n "__fish_watchdog_using_subcommand alert; and __fish_seen_subcommand_from show" -l color -d 'When to use colours: auto, always or never' -r -f -a "auto\t'On a terminal, unless `NO_COLOR` is set'
always\t'Always'
never\t'Never'"
complete -c watchdog -n "__fish_watchdog_using_subcommand alert; and __fish_seen_subcommand_from show" -l json -d 'Print JSON'
complete -c watchdog -n "__fish_watchdog_using_subcommand alert; and __fish_seen_subcommand_from show" -s h -l help -d 'Print help'
complete -c watchdog -n "__fish_watchdog_using_subcommand alert; and __fish_seen_subcommand_from ack" -s m -l comment -d 'What you want others to know' -r
complete -c watchdog -n "__fish_watchdog_using_subcommand alert; and __fish_seen_subcommand_from ack" -l for -d 'Let it lapse after this time, if it still fires then [default: it ends with the alert]' -r
complete -c watchdog -n "__fish_watchdog_using_subcommand alert; and __fish_seen_subcommand_from ack" -l until -d 'Let it lapse then: `18:30`, `2026-12-24 18:30`, RFC 3339 or `now+2h`' -r
complete -c watchdog -n "__fish_watchdog_using_subcommand alert; and __fish_seen_subcommand_from ack" -l by -d 'Who has it [default: you]' -r
complete -c watchdog -n "__fish_watchdog_using_subcommand alert; and __fish_seen_subcommand_from ack" -s c -l config-dir -d 'Directory of the configuration [env: WATCHDOG_CONFIG_DIR] [default: . if it holds monitors.d, else ~/.config/watchdog, else /etc/watchdog]' -r -F
complete -c watchdog -n "__fish_watchdog_using_subcommand alert; and __fish_seen_subcommand_from ack" -l data-dir -d 'Directory of the state [env: WATCHDOG_DATA_DIR] [default: ~/.local/state/watchdog; root: /var/lib/watchdog]' -r -F
complete -c watchdog -n "__fish_watchdog_using_subcommand alert; and __fish_seen_subcommand_from ack" -l socket -d 'Unix socket of the server [env: WATCHDOG_SOCKET] [default: $XDG_RUNTIME_DIR/watchdog.sock, else in the data directory]' -r -F
complete -c watchdog -n "__fish_watchdog_using_subcommand alert; and __fish_seen_subcommand_from ack" -l color -d 'When to use colours: auto, always or never' -r -f -a "auto\t'On a terminal, unless `NO_COLOR` is set'
always\t'Always'
never\t'Never'"
complete -c watchdog -n "__fish_watchdog_using_subcommand alert; and __fish_seen_subcommand_from ack" -l json -d 'Print JSON'
complete -c watchdog -n "__fish_watchdog_using_subcommand alert; and __fish_seen_subcommand_from ack" -s h -l help -d 'Print help'
complete -c watchdog -n "__fish_watchdog_using_subcommand alert; and __fish_seen_subcommand_from unack" -s c -l config-dir -d 'Directory of the configuration [env: WATCHDOG_CONFIG_DIR] [default: . if it holds monitors.d, else ~/.config/watchdog, else /etc/watchdog]' -r -F
complete -c watchdog -n "__fish_watchdog_using_subcommand alert; and __fish_seen_subcommand_from unack" -l data-dir -d 'Directory of the state [env: WATCHDOG_DATA_DIR] [default: ~/.local/state/watchdog; root: /var/lib/watchdog]' -r -F
complete -c watchdog -n "__fish_watchdog_using_subcommand alert; and __fish_seen_subcommand_from unack" -l socket -d 'Unix socket of the server [env: WATCHDOG_SOCKET] [default: $XDG_RUNTIME_DIR/watchdog.sock, else in the data directory]' -r -F
complete -c watchdog -n "__fish_watchdog_using_subcommand alert; and __fish_seen_subcommand_from unack" -l color -d 'When to use colours: auto, always or never' -r -f -a "auto\t'On a terminal, unless `NO_COLOR` is set'
always\t'Always'
never\t'Never'"
complete -c watchdog -n "__fish_watchdog_using_subcommand alert; and __fish_seen_subcommand_from unack" -l json -d 'Print JSON'
complete -c watchdog -n "__fish_watchdog_using_subcommand alert; and __fish_seen_subcommand_from unack" -s h -l help -d 'Print help'
complete -c watchdog -n "__fish_watchdog_using_subcommand alert; and __fish_seen_subcommand_from history" -l since -d 'Only since then: `2h`, `-2h`, RFC 3339' -r
complete -c watchdog -n "__fish_watchdog_using_subcommand alert; and __fish_seen_subcommand_from history" -s l -l limit -d 'At most so many, the newest' -r
complete -c watchdog -n "__fish_watchdog_using_subcommand alert; and __fish_seen_subcommand_from history" -s c -l config-dir -d 'Directory of the configuration [env: WATCHDOG_CONFIG_DIR] [default: . if it holds monitors.d, else ~/.config/watchdog, else /etc/watchdog]' -r -F
complete -c watchdog -n "__fish_watchdog_using_subcommand alert; and __fish_seen_subcommand_from history" -l data-dir -d 'Directory of the state [env: WATCHDOG_DATA_DIR] [default: ~/.local/state/watchdog; root: /var/lib/watchdog]' -r -F
complete -c watchdog -n "__fish_watchdog_using_subcommand alert; and __fish_seen_subcommand_from history" -l socket -d 'Unix socket of the server [env: WATCHDOG_SOCKET] [default: $XDG_RUNTIME_DIR/watchdog.sock, else in the data directory]' -r -F
complete -c watchdog -n "__fish_watchdog_using_subcommand alert; and __fish_seen_subcommand_from history" -l color -d 'When to use colours: auto, always or never' -r -f -a "auto\t'On a terminal, unless `NO_COLOR` is set'
always\t'Always'
never\t'Never'"
complete -c watchdog -n "__fish_watchdog_using_subcommand alert; and __fish_seen_subcommand_from history" -s f -l follow -d 'Go on and print what happens'
complete -c watchdog -n "__fish_watchdog_using_subcommand alert; and __fish_seen_subcommand_from history" -l json -d 'Print JSON'
complete -c watchdog -n "__fish_watchdog_using_subcommand alert; and __fish_seen_subcommand_from history" -s h -l help -d 'Print help'
complete -c watchdog -n "__fish_watchdog_using_subcommand alert; and __fish_seen_subcommand_from help" -f -a "list" -d 'List pending, firing and recently resolved alerts'
complete -c watchdog -n "__fish_watchdog_using_subcommand alert; and __fish_seen_subcommand_from help" -f -a "show" -d 'Show everything about one alert; exit code 1 while it fires'
complete -c watchdog -n "__fish_watchdog_using_subcommand alert; and __fish_seen_subcommand_from help" -f -a "ack" -d 'Say that you have it: escalation and repeats pause'
complete -c watchdog -n "__fish_watchdog_using_subcommand alert; and __fish_seen_subcommand_from help" -f -a "unack" -d 'Take an acknowledgement back'
complete -c watchdog -n "__fish_watchdog_using_subcommand alert; and __fish_seen_subcommand_from help" -f -a "history" -d 'List what happened to alerts, newest last'
complete -c watchdog -n "__fish_watchdog_using_subcommand alert; and __fish_seen_subcommand_from help" -f -a "help" -d 'Print this message or the help of the given subcommand(s)'
complete -c watchdog -n "__fish_watchdog_using_subcommand rule; and not __fish_seen_subcommand_from list eval help" -s c -l config-dir -d 'Directory of the configuration [env: WATCHDOG_CONFIG_DIR] [default: . if it holds monitors.d, else ~/.config/watchdog, else /etc/watchdog]' -r -F
complete -c watchdog -n "__fish_watchdog_using_subcommand rule; and not __fish_seen_subcommand_from list eval help" -l data-dir -d 'Directory of the state [env: WATCHDOG_DATA_DIR] [default: ~/.local/state/watchdog; root: /var/lib/watchdog]' -r -F
complete -c watchdog -n "__fish_watchdog_using_subcommand rule; and not __fish_seen_subcommand_from list eval help" -l socket -d 'Unix socket of the server [env: WATCHDOG_SOCKET] [default: $XDG_RUNTIME_DIR/watchdog.sock, else in the data directory]' -r -F
complete -c watchdog -n "__fish_watchdog_using_subcommand rule; and not __fish_seen_subcommand_from list eval help" -l color -d 'When to use colours: auto, always or never' -r -f -a "auto\t'On a terminal, unless `NO_COLOR` is set'
always\t'Always'
never\t'Never'"
complete -c watchdog -n "__fish_watchdog_using_subcommand rule; and not __fish_seen_subcommand_from list eval help" -l json -d 'Print JSON'
complete -c watchdog -n "__fish_watchdog_using_subcommand rule; and not __fish_seen_subcommand_from list eval help" -s h -l help -d 'Print help'
complete -c watchdog -n "__fish_watchdog_using_subcommand rule; and not __fish_seen_subcommand_from list eval help" -f -a "list" -d 'List the rules with their last values'
complete -c watchdog -n "__fish_watchdog_using_subcommand rule; and not __fish_seen_subcommand_from list eval help" -f -a "eval" -d 'Evaluate a rule now, or at another time, and show what it gives; changes nothing'
complete -c watchdog -n "__fish_watchdog_using_subcommand rule; and not __fish_seen_subcommand_from list eval help" -f -a "help" -d 'Print this message or the help of the given subcommand(s)'
complete -c watchdog -n "__fish_watchdog_using_subcommand rule; and __fish_seen_subcommand_from list" -s c -l config-dir -d 'Directory of the configuration [env: WATCHDOG_CONFIG_DIR] [default: . if it holds monitors.d, else ~/.config/watchdog, else /etc/watchdog]' -r -F
complete -c watchdog -n "__fish_watchdog_using_subcommand rule; and __fish_seen_subcommand_from list" -l data-dir -d 'Directory of the state [env: WATCHDOG_DATA_DIR] [default: ~/.local/state/watchdog; root: /var/lib/watchdog]' -r -F
complete -c watchdog -n "__fish_watchdog_using_subcommand rule; and __fish_seen_subcommand_from list" -l socket -d 'Unix socket of the server [env: WATCHDOG_SOCKET] [default: $XDG_RUNTIME_DIR/watchdog.sock, else in the data directory]' -r -F
complete -c watchdog -n "__fish_watchdog_using_subcommand rule; and __fish_seen_subcommand_from list" -l color -d 'When to use colours: auto, always or never' -r -f -a "auto\t'On a terminal, unless `NO_COLOR` is set'
always\t'Always'
never\t'Never'"
complete -c watchdog -n "__fish_watchdog_using_subcommand rule; and __fish_seen_subcommand_from list" -l suspicious -d 'Only rules that fail, or never gave a series'
complete -c watchdog -n "__fish_watchdog_using_subcommand rule; and __fish_seen_subcommand_from list" -l json -d 'Print JSON'
complete -c watchdog -n "__fish_watchdog_using_subcommand rule; and __fish_seen_subcommand_from list" -s h -l help -d 'Print help'
complete -c watchdog -n "__fish_watchdog_using_subcommand rule; and __fish_seen_subcommand_from eval" -l at -d 'Evaluate at this time: RFC 3339, Unix seconds, `now-1h` or `-1h` [default: now]' -r
complete -c watchdog -n "__fish_watchdog_using_subcommand rule; and __fish_seen_subcommand_from eval" -s c -l config-dir -d 'Directory of the configuration [env: WATCHDOG_CONFIG_DIR] [default: . if it holds monitors.d, else ~/.config/watchdog, else /etc/watchdog]' -r -F
complete -c watchdog -n "__fish_watchdog_using_subcommand rule; and __fish_seen_subcommand_from eval" -l data-dir -d 'Directory of the state [env: WATCHDOG_DATA_DIR] [default: ~/.local/state/watchdog; root: /var/lib/watchdog]' -r -F
complete -c watchdog -n "__fish_watchdog_using_subcommand rule; and __fish_seen_subcommand_from eval" -l socket -d 'Unix socket of the server [env: WATCHDOG_SOCKET] [default: $XDG_RUNTIME_DIR/watchdog.sock, else in the data directory]' -r -F
complete -c watchdog -n "__fish_watchdog_using_subcommand rule; and __fish_seen_subcommand_from eval" -l color -d 'When to use colours: auto, always or never' -r -f -a "auto\t'On a terminal, unless `NO_COLOR` is set'
always\t'Always'
never\t'Never'"
complete -c watchdog -n "__fish_watchdog_using_subcommand rule; and __fish_seen_subcommand_from eval" -l json -d 'Print JSON'
complete -c watchdog -n "__fish_watchdog_using_subcommand rule; and __fish_seen_subcommand_from eval" -s h -l help -d 'Print help'
complete -c watchdog -n "__fish_watchdog_using_subcommand rule; and __fish_seen_subcommand_from help" -f -a "list" -d 'List the rules with their last values'
complete -c watchdog -n "__fish_watchdog_using_subcommand rule; and __fish_seen_subcommand_from help" -f -a "eval" -d 'Evaluate a rule now, or at another time, and show what it gives; changes nothing'
complete -c watchdog -n "__fish_watchdog_using_subcommand rule; and __fish_seen_subcommand_from help" -f -a "help" -d 'Print this message or the help of the given subcommand(s)'
complete -c watchdog -n "__fish_watchdog_using_subcommand why" -l kind -d 'What is meant, where one name means several' -r -f -a "alert\t'An alert that fires or was over lately'
monitor\t'A monitor and its own alert'
rule\t'A rule and its alerts'"
complete -c watchdog -n "__fish_watchdog_using_subcommand why" -s c -l config-dir -d 'Directory of the configuration [env: WATCHDOG_CONFIG_DIR] [default: . if it holds monitors.d, else ~/.config/watchdog, else /etc/watchdog]' -r -F
complete -c watchdog -n "__fish_watchdog_using_subcommand why" -l data-dir -d 'Directory of the state [env: WATCHDOG_DATA_DIR] [default: ~/.local/state/watchdog; root: /var/lib/watchdog]' -r -F
complete -c watchdog -n "__fish_watchdog_using_subcommand why" -l socket -d 'Unix socket of the server [env: WATCHDOG_SOCKET] [default: $XDG_RUNTIME_DIR/watchdog.sock, else in the data directory]' -r -F
complete -c watchdog -n "__fish_watchdog_using_subcommand why" -l color -d 'When to use colours: auto, always or never' -r -f -a "auto\t'On a terminal, unless `NO_COLOR` is set'
always\t'Always'
never\t'Never'"
complete -c watchdog -n "__fish_watchdog_using_subcommand why" -l json -d 'Print JSON'
complete -c watchdog -n "__fish_watchdog_using_subcommand why" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c watchdog -n "__fish_watchdog_using_subcommand silence; and not __fish_seen_subcommand_from add list expire extend preview help" -s c -l config-dir -d 'Directory of the configuration [env: WATCHDOG_CONFIG_DIR] [default: . if it holds monitors.d, else ~/.config/watchdog, else /etc/watchdog]' -r -F
complete -c watchdog -n "__fish_watchdog_using_subcommand silence; and not __fish_seen_subcommand_from add list expire extend preview help" -l data-dir -d 'Directory of the state [env: WATCHDOG_DATA_DIR] [default: ~/.local/state/watchdog; root: /var/lib/watchdog]' -r -F
complete -c watchdog -n "__fish_watchdog_using_subcommand silence; and not __fish_seen_subcommand_from add list expire extend preview help" -l socket -d 'Unix socket of the server [env: WATCHDOG_SOCKET] [default: $XDG_RUNTIME_DIR/watchdog.sock, else in the data directory]' -r -F
complete -c watchdog -n "__fish_watchdog_using_subcommand silence; and not __fish_seen_subcommand_from add list expire extend preview help" -l color -d 'When to use colours: auto, always or never' -r -f -a "auto\t'On a terminal, unless `NO_COLOR` is set'
always\t'Always'
never\t'Never'"
complete -c watchdog -n "__fish_watchdog_using_subcommand silence; and not __fish_seen_subcommand_from add list expire extend preview help" -l json -d 'Print JSON'
complete -c watchdog -n "__fish_watchdog_using_subcommand silence; and not __fish_seen_subcommand_from add list expire extend preview help" -s h -l help -d 'Print help'
complete -c watchdog -n "__fish_watchdog_using_subcommand silence; and not __fish_seen_subcommand_from add list expire extend preview help" -f -a "add" -d 'Make a silence: shows what it hides, asks, and prints its id'
complete -c watchdog -n "__fish_watchdog_using_subcommand silence; and not __fish_seen_subcommand_from add list expire extend preview help" -f -a "list" -d 'List silences'
complete -c watchdog -n "__fish_watchdog_using_subcommand silence; and not __fish_seen_subcommand_from add list expire extend preview help" -f -a "expire" -d 'End silences now'
complete -c watchdog -n "__fish_watchdog_using_subcommand silence; and not __fish_seen_subcommand_from add list expire extend preview help" -f -a "extend" -d 'Let a silence last longer'
complete -c watchdog -n "__fish_watchdog_using_subcommand silence; and not __fish_seen_subcommand_from add list expire extend preview help" -f -a "preview" -d 'Show what a silence would hide, without making it'
complete -c watchdog -n "__fish_watchdog_using_subcommand silence; and not __fish_seen_subcommand_from add list expire extend preview help" -f -a "help" -d 'Print this message or the help of the given subcommand(s)'
complete -c watchdog -n "__fish_watchdog_using_subcommand silence; and __fish_seen_subcommand_from add" -l for -d 'How long [default: 1h]' -r
complete -c watchdog -n "__fish_watchdog_using_subcommand silence; and __fish_seen_subcommand_from add" -l until -d 'Until then: `18:30`, `2026-12-24 18:30`, RFC 3339 or `now+2h`' -r
complete -c watchdog -n "__fish_watchdog_using_subcommand silence; and __fish_seen_subcommand_from add" -l start -d 'From then on [default: now]' -r
complete -c watchdog -n "__fish_watchdog_using_subcommand silence; and __fish_seen_subcommand_from add" -s m -l comment -d 'Why' -r
complete -c watchdog -n "__fish_watchdog_using_subcommand silence; and __fish_seen_subcommand_from add" -l by -d 'Who wants it [default: you]' -r
complete -c watchdog -n "__fish_watchdog_using_subcommand silence; and __fish_seen_subcommand_from add" -s c -l config-dir -d 'Directory of the configuration [env: WATCHDOG_CONFIG_DIR] [default: . if it holds monitors.d, else ~/.config/watchdog, else /etc/watchdog]' -r -F
complete -c watchdog -n "__fish_watchdog_using_subcommand silence; and __fish_seen_subcommand_from add" -l data-dir -d 'Directory of the state [env: WATCHDOG_DATA_DIR] [default: ~/.local/state/watchdog; root: /var/lib/watchdog]' -r -F
complete -c watchdog -n "__fish_watchdog_using_subcommand silence; and __fish_seen_subcommand_from add" -l socket -d 'Unix socket of the server [env: WATCHDOG_SOCKET] [default: $XDG_RUNTIME_DIR/watchdog.sock, else in the data directory]' -r -F
complete -c watchdog -n "__fish_watchdog_using_subcommand silence; and __fish_seen_subcommand_from add" -l color -d 'When to use colours: auto, always or never' -r -f -a "auto\t'On a terminal, unless `NO_COLOR` is set'
always\t'Always'
never\t'Never'"
complete -c watchdog -n "__fish_watchdog_using_subcommand silence; and __fish_seen_subcommand_from add" -l until-resolved -d 'Until nothing that it matches fires any more, for 7 days at most'
complete -c watchdog -n "__fish_watchdog_using_subcommand silence; and __fish_seen_subcommand_from add" -s y -l yes -d 'Do not ask'
complete -c watchdog -n "__fish_watchdog_using_subcommand silence; and __fish_seen_subcommand_from add" -l json -d 'Print JSON'
complete -c watchdog -n "__fish_watchdog_using_subcommand silence; and __fish_seen_subcommand_from add" -s h -l help -d 'Print help'
complete -c watchdog -n "__fish_watchdog_using_subcommand silence; and __fish_seen_subcommand_from list" -l state -d 'Only silences in these states' -r -f -a "active\t'It mutes'
pending\t'It has not begun'
expired\t'It is over'"
complete -c watchdog -n "__fish_watchdog_using_subcommand silence; and __fish_seen_subcommand_from list" -s c -l config-dir -d 'Directory of the configuration [env: WATCHDOG_CONFIG_DIR] [default: . if it holds monitors.d, else ~/.config/watchdog, else /etc/watchdog]' -r -F
complete -c watchdog -n "__fish_watchdog_using_subcommand silence; and __fish_seen_subcommand_from list" -l data-dir -d 'Directory of the state [env: WATCHDOG_DATA_DIR] [default: ~/.local/state/watchdog; root: /var/lib/watchdog]' -r -F
complete -c watchdog -n "__fish_watchdog_using_subcommand silence; and __fish_seen_subcommand_from list" -l socket -d 'Unix socket of the server [env: WATCHDOG_SOCKET] [default: $XDG_RUNTIME_DIR/watchdog.sock, else in the data directory]' -r -F
complete -c watchdog -n "__fish_watchdog_using_subcommand silence; and __fish_seen_subcommand_from list" -l color -d 'When to use colours: auto, always or never' -r -f -a "auto\t'On a terminal, unless `NO_COLOR` is set'
always\t'Always'
never\t'Never'"
complete -c watchdog -n "__fish_watchdog_using_subcommand silence; and __fish_seen_subcommand_from list" -l json -d 'Print JSON'
complete -c watchdog -n "__fish_watchdog_using_subcommand silence; and __fish_seen_subcommand_from list" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c watchdog -n "__fish_watchdog_using_subcommand silence; and __fish_seen_subcommand_from expire" -s c -l config-dir -d 'Directory of the configuration [env: WATCHDOG_CONFIG_DIR] [default: . if it holds monitors.d, else ~/.config/watchdog, else /etc/watchdog]' -r -F
complete -c watchdog -n "__fish_watchdog_using_subcommand silence; and __fish_seen_subcommand_from expire" -l data-dir -d 'Directory of the state [env: WATCHDOG_DATA_DIR] [default: ~/.local/state/watchdog; root: /var/lib/watchdog]' -r -F
complete -c watchdog -n "__fish_watchdog_using_subcommand silence; and __fish_seen_subcommand_from expire" -l socket -d 'Unix socket of the server [env: WATCHDOG_SOCKET] [default: $XDG_RUNTIME_DIR/watchdog.sock, else in the data directory]' -r -F
complete -c watchdog -n "__fish_watchdog_using_subcommand silence; and __fish_seen_subcommand_from expire" -l color -d 'When to use colours: auto, always or never' -r -f -a "auto\t'On a terminal, unless `NO_COLOR` is set'
always\t'Always'
never\t'Never'"
complete -c watchdog -n "__fish_watchdog_using_subcommand silence; and __fish_seen_subcommand_from expire" -l json -d 'Print JSON'
complete -c watchdog -n "__fish_watchdog_using_subcommand silence; and __fish_seen_subcommand_from expire" -s h -l help -d 'Print help'
complete -c watchdog -n "__fish_watchdog_using_subcommand silence; and __fish_seen_subcommand_from extend" -l for -d 'By how much its end moves' -r
complete -c watchdog -n "__fish_watchdog_using_subcommand silence; and __fish_seen_subcommand_from extend" -s c -l config-dir -d 'Directory of the configuration [env: WATCHDOG_CONFIG_DIR] [default: . if it holds monitors.d, else ~/.config/watchdog, else /etc/watchdog]' -r -F
complete -c watchdog -n "__fish_watchdog_using_subcommand silence; and __fish_seen_subcommand_from extend" -l data-dir -d 'Directory of the state [env: WATCHDOG_DATA_DIR] [default: ~/.local/state/watchdog; root: /var/lib/watchdog]' -r -F
complete -c watchdog -n "__fish_watchdog_using_subcommand silence; and __fish_seen_subcommand_from extend" -l socket -d 'Unix socket of the server [env: WATCHDOG_SOCKET] [default: $XDG_RUNTIME_DIR/watchdog.sock, else in the data directory]' -r -F
complete -c watchdog -n "__fish_watchdog_using_subcommand silence; and __fish_seen_subcommand_from extend" -l color -d 'When to use colours: auto, always or never' -r -f -a "auto\t'On a terminal, unless `NO_COLOR` is set'
always\t'Always'
never\t'Never'"
complete -c watchdog -n "__fish_watchdog_using_subcommand silence; and __fish_seen_subcommand_from extend" -l json -d 'Print JSON'
complete -c watchdog -n "__fish_watchdog_using_subcommand silence; and __fish_seen_subcommand_from extend" -s h -l help -d 'Print help'
complete -c watchdog -n "__fish_watchdog_using_subcommand silence; and __fish_seen_subcommand_from preview" -l for -d 'How long [default: 1h]' -r
complete -c watchdog -n "__fish_watchdog_using_subcommand silence; and __fish_seen_subcommand_from preview" -l until -d 'Until then: `18:30`, `2026-12-24 18:30`, RFC 3339 or `now+2h`' -r
complete -c watchdog -n "__fish_watchdog_using_subcommand silence; and __fish_seen_subcommand_from preview" -l start -d 'From then on [default: now]' -r
complete -c watchdog -n "__fish_watchdog_using_subcommand silence; and __fish_seen_subcommand_from preview" -s m -l comment -d 'Why' -r
complete -c watchdog -n "__fish_watchdog_using_subcommand silence; and __fish_seen_subcommand_from preview" -l by -d 'Who wants it [default: you]' -r
complete -c watchdog -n "__fish_watchdog_using_subcommand silence; and __fish_seen_subcommand_from preview" -s c -l config-dir -d 'Directory of the configuration [env: WATCHDOG_CONFIG_DIR] [default: . if it holds monitors.d, else ~/.config/watchdog, else /etc/watchdog]' -r -F
complete -c watchdog -n "__fish_watchdog_using_subcommand silence; and __fish_seen_subcommand_from preview" -l data-dir -d 'Directory of the state [env: WATCHDOG_DATA_DIR] [default: ~/.local/state/watchdog; root: /var/lib/watchdog]' -r -F
complete -c watchdog -n "__fish_watchdog_using_subcommand silence; and __fish_seen_subcommand_from preview" -l socket -d 'Unix socket of the server [env: WATCHDOG_SOCKET] [default: $XDG_RUNTIME_DIR/watchdog.sock, else in the data directory]' -r -F
complete -c watchdog -n "__fish_watchdog_using_subcommand silence; and __fish_seen_subcommand_from preview" -l color -d 'When to use colours: auto, always or never' -r -f -a "auto\t'On a terminal, unless `NO_COLOR` is set'
always\t'Always'
never\t'Never'"
complete -c watchdog -n "__fish_watchdog_using_subcommand silence; and __fish_seen_subcommand_from preview" -l until-resolved -d 'Until nothing that it matches fires any more, for 7 days at most'
complete -c watchdog -n "__fish_watchdog_using_subcommand silence; and __fish_seen_subcommand_from preview" -l json -d 'Print JSON'
complete -c watchdog -n "__fish_watchdog_using_subcommand silence; and __fish_seen_subcommand_from preview" -s h -l help -d 'Print help'
complete -c watchdog -n "__fish_watchdog_using_subcommand silence; and __fish_seen_subcommand_from help" -f -a "add" -d 'Make a silence: shows what it hides, asks, and prints its id'
complete -c watchdog -n "__fish_watchdog_using_subcommand silence; and __fish_seen_subcommand_from help" -f -a "list" -d 'List silences'
complete -c watchdog -n "__fish_watchdog_using_subcommand silence; and __fish_seen_subcommand_from help" -f -a "expire" -d 'End silences now'
complete -c watchdog -n "__fish_watchdog_using_subcommand silence; and __fish_seen_subcommand_from help" -f -a "extend" -d 'Let a silence last longer'
complete -c watchdog -n "__fish_watchdog_using_subcommand silence; and __fish_seen_subcommand_from help" -f -a "preview" -d 'Show what a silence would hide, without making it'
complete -c watchdog -n "__fish_watchdog_using_subcommand silence; and __fish_seen_subcommand_from help" -f -a "help" -d 'Print this message or the help of the given subcommand(s)'
complete -c watchdog -n "__fish_watchdog_using_subcommand maintenance; and not __fish_seen_subcommand_from list next help" -s c -l config-dir -d 'Directory of the configuration [env: WATCHDOG_CONFIG_DIR] [default: . if it holds monitors.d, else ~/.config/watchdog, else /etc/watchdog]' -r -F
complete -c watchdog -n "__fish_watchdog_using_subcommand maintenance; and not __fish_seen_subcommand_from list next help" -l data-dir -d 'Directory of the state [env: WATCHDOG_DATA_DIR] [default: ~/.local/state/watchdog; root: /var/lib/watchdog]' -r -F
complete -c watchdog -n "__fish_watchdog_using_subcommand maintenance; and not __fish_seen_subcommand_from list next help" -l socket -d 'Unix socket of the server [env: WATCHDOG_SOCKET] [default: $XDG_RUNTIME_DIR/watchdog.sock, else in the data directory]' -r -F
complete -c watchdog -n "__fish_watchdog_using_subcommand maintenance; and not __fish_seen_subcommand_from list next help" -l color -d 'When to use colours: auto, always or never' -r -f -a "auto\t'On a terminal, unless `NO_COLOR` is set'
always\t'Always'
never\t'Never'"
complete -c watchdog -n "__fish_watchdog_using_subcommand maintenance; and not __fish_seen_subcommand_from list next help" -l json -d 'Print JSON'
complete -c watchdog -n "__fish_watchdog_using_subcommand maintenance; and not __fish_seen_subcommand_from list next help" -s h -l help -d 'Print help'
complete -c watchdog -n "__fish_watchdog_using_subcommand maintenance; and not __fish_seen_subcommand_from list next help" -f -a "list" -d 'List the windows of the files, the open ones first'
complete -c watchdog -n "__fish_watchdog_using_subcommand maintenance; and not __fish_seen_subcommand_from list next help" -f -a "next" -d 'List what is under way and what is to come, in order of time'
complete -c watchdog -n "__fish_watchdog_using_subcommand maintenance; and not __fish_seen_subcommand_from list next help" -f -a "help" -d 'Print this message or the help of the given subcommand(s)'
complete -c watchdog -n "__fish_watchdog_using_subcommand maintenance; and __fish_seen_subcommand_from list" -s c -l config-dir -d 'Directory of the configuration [env: WATCHDOG_CONFIG_DIR] [default: . if it holds monitors.d, else ~/.config/watchdog, else /etc/watchdog]' -r -F
complete -c watchdog -n "__fish_watchdog_using_subcommand maintenance; and __fish_seen_subcommand_from list" -l data-dir -d 'Directory of the state [env: WATCHDOG_DATA_DIR] [default: ~/.local/state/watchdog; root: /var/lib/watchdog]' -r -F
complete -c watchdog -n "__fish_watchdog_using_subcommand maintenance; and __fish_seen_subcommand_from list" -l socket -d 'Unix socket of the server [env: WATCHDOG_SOCKET] [default: $XDG_RUNTIME_DIR/watchdog.sock, else in the data directory]' -r -F
complete -c watchdog -n "__fish_watchdog_using_subcommand maintenance; and __fish_seen_subcommand_from list" -l color -d 'When to use colours: auto, always or never' -r -f -a "auto\t'On a terminal, unless `NO_COLOR` is set'
always\t'Always'
never\t'Never'"
complete -c watchdog -n "__fish_watchdog_using_subcommand maintenance; and __fish_seen_subcommand_from list" -l json -d 'Print JSON'
complete -c watchdog -n "__fish_watchdog_using_subcommand maintenance; and __fish_seen_subcommand_from list" -s h -l help -d 'Print help'
complete -c watchdog -n "__fish_watchdog_using_subcommand maintenance; and __fish_seen_subcommand_from next" -s l -l limit -d 'How many occurrences' -r
complete -c watchdog -n "__fish_watchdog_using_subcommand maintenance; and __fish_seen_subcommand_from next" -s c -l config-dir -d 'Directory of the configuration [env: WATCHDOG_CONFIG_DIR] [default: . if it holds monitors.d, else ~/.config/watchdog, else /etc/watchdog]' -r -F
complete -c watchdog -n "__fish_watchdog_using_subcommand maintenance; and __fish_seen_subcommand_from next" -l data-dir -d 'Directory of the state [env: WATCHDOG_DATA_DIR] [default: ~/.local/state/watchdog; root: /var/lib/watchdog]' -r -F
complete -c watchdog -n "__fish_watchdog_using_subcommand maintenance; and __fish_seen_subcommand_from next" -l socket -d 'Unix socket of the server [env: WATCHDOG_SOCKET] [default: $XDG_RUNTIME_DIR/watchdog.sock, else in the data directory]' -r -F
complete -c watchdog -n "__fish_watchdog_using_subcommand maintenance; and __fish_seen_subcommand_from next" -l color -d 'When to use colours: auto, always or never' -r -f -a "auto\t'On a terminal, unless `NO_COLOR` is set'
always\t'Always'
never\t'Never'"
complete -c watchdog -n "__fish_watchdog_using_subcommand maintenance; and __fish_seen_subcommand_from next" -l json -d 'Print JSON'
complete -c watchdog -n "__fish_watchdog_using_subcommand maintenance; and __fish_seen_subcommand_from next" -s h -l help -d 'Print help'
complete -c watchdog -n "__fish_watchdog_using_subcommand maintenance; and __fish_seen_subcommand_from help" -f -a "list" -d 'List the windows of the files, the open ones first'
complete -c watchdog -n "__fish_watchdog_using_subcommand maintenance; and __fish_seen_subcommand_from help" -f -a "next" -d 'List what is under way and what is to come, in order of time'
complete -c watchdog -n "__fish_watchdog_using_subcommand maintenance; and __fish_seen_subcommand_from help" -f -a "help" -d 'Print this message or the help of the given subcommand(s)'
complete -c watchdog -n "__fish_watchdog_using_subcommand notify; and not __fish_seen_subcommand_from list log resend test routes help" -s c -l config-dir -d 'Directory of the configuration [env: WATCHDOG_CONFIG_DIR] [default: . if it holds monitors.d, else ~/.config/watchdog, else /etc/watchdog]' -r -F
complete -c watchdog -n "__fish_watchdog_using_subcommand notify; and not __fish_seen_subcommand_from list log resend test routes help" -l data-dir -d 'Directory of the state [env: WATCHDOG_DATA_DIR] [default: ~/.local/state/watchdog; root: /var/lib/watchdog]' -r -F
complete -c watchdog -n "__fish_watchdog_using_subcommand notify; and not __fish_seen_subcommand_from list log resend test routes help" -l socket -d 'Unix socket of the server [env: WATCHDOG_SOCKET] [default: $XDG_RUNTIME_DIR/watchdog.sock, else in the data directory]' -r -F
complete -c watchdog -n "__fish_watchdog_using_subcommand notify; and not __fish_seen_subcommand_from list log resend test routes help" -l color -d 'When to use colours: auto, always or never' -r -f -a "auto\t'On a terminal, unless `NO_COLOR` is set'
always\t'Always'
never\t'Never'"
complete -c watchdog -n "__fish_watchdog_using_subcommand notify; and not __fish_seen_subcommand_from list log resend test routes help" -l json -d 'Print JSON'
complete -c watchdog -n "__fish_watchdog_using_subcommand notify; and not __fish_seen_subcommand_from list log resend test routes help" -s h -l help -d 'Print help'
complete -c watchdog -n "__fish_watchdog_using_subcommand notify; and not __fish_seen_subcommand_from list log resend test routes help" -f -a "list" -d 'List the notifiers and how they do'
complete -c watchdog -n "__fish_watchdog_using_subcommand notify; and not __fish_seen_subcommand_from list log resend test routes help" -f -a "log" -d 'List what was said to whom, newest last'
complete -c watchdog -n "__fish_watchdog_using_subcommand notify; and not __fish_seen_subcommand_from list log resend test routes help" -f -a "resend" -d 'Say once more what a notification of the log said'
complete -c watchdog -n "__fish_watchdog_using_subcommand notify; and not __fish_seen_subcommand_from list log resend test routes help" -f -a "test" -d 'Send a test message through a notifier; exit code 1 when it is not taken'
complete -c watchdog -n "__fish_watchdog_using_subcommand notify; and not __fish_seen_subcommand_from list log resend test routes help" -f -a "routes" -d 'Show the tree of routes, or where an alert with certain labels goes'
complete -c watchdog -n "__fish_watchdog_using_subcommand notify; and not __fish_seen_subcommand_from list log resend test routes help" -f -a "help" -d 'Print this message or the help of the given subcommand(s)'
complete -c watchdog -n "__fish_watchdog_using_subcommand notify; and __fish_seen_subcommand_from list" -s c -l config-dir -d 'Directory of the configuration [env: WATCHDOG_CONFIG_DIR] [default: . if it holds monitors.d, else ~/.config/watchdog, else /etc/watchdog]' -r -F
complete -c watchdog -n "__fish_watchdog_using_subcommand notify; and __fish_seen_subcommand_from list" -l data-dir -d 'Directory of the state [env: WATCHDOG_DATA_DIR] [default: ~/.local/state/watchdog; root: /var/lib/watchdog]' -r -F
complete -c watchdog -n "__fish_watchdog_using_subcommand notify; and __fish_seen_subcommand_from list" -l socket -d 'Unix socket of the server [env: WATCHDOG_SOCKET] [default: $XDG_RUNTIME_DIR/watchdog.sock, else in the data directory]' -r -F
complete -c watchdog -n "__fish_watchdog_using_subcommand notify; and __fish_seen_subcommand_from list" -l color -d 'When to use colours: auto, always or never' -r -f -a "auto\t'On a terminal, unless `NO_COLOR` is set'
always\t'Always'
never\t'Never'"
complete -c watchdog -n "__fish_watchdog_using_subcommand notify; and __fish_seen_subcommand_from list" -l json -d 'Print JSON'
complete -c watchdog -n "__fish_watchdog_using_subcommand notify; and __fish_seen_subcommand_from list" -s h -l help -d 'Print help'
complete -c watchdog -n "__fish_watchdog_using_subcommand notify; and __fish_seen_subcommand_from log" -l receiver -d 'Only to this notifier' -r
complete -c watchdog -n "__fish_watchdog_using_subcommand notify; and __fish_seen_subcommand_from log" -l state -d 'Only those that got this far' -r -f -a "owed\t'Not yet delivered'
delivered\t'Taken by the receiver'
dead\t'Given up'"
complete -c watchdog -n "__fish_watchdog_using_subcommand notify; and __fish_seen_subcommand_from log" -l alert -d 'Only about this alert: id or its beginning, name, or the monitor it is about' -r
complete -c watchdog -n "__fish_watchdog_using_subcommand notify; and __fish_seen_subcommand_from log" -s l -l limit -d 'At most so many, the newest' -r
complete -c watchdog -n "__fish_watchdog_using_subcommand notify; and __fish_seen_subcommand_from log" -l before -d 'Only those before this number, to see what is older' -r
complete -c watchdog -n "__fish_watchdog_using_subcommand notify; and __fish_seen_subcommand_from log" -s c -l config-dir -d 'Directory of the configuration [env: WATCHDOG_CONFIG_DIR] [default: . if it holds monitors.d, else ~/.config/watchdog, else /etc/watchdog]' -r -F
complete -c watchdog -n "__fish_watchdog_using_subcommand notify; and __fish_seen_subcommand_from log" -l data-dir -d 'Directory of the state [env: WATCHDOG_DATA_DIR] [default: ~/.local/state/watchdog; root: /var/lib/watchdog]' -r -F
complete -c watchdog -n "__fish_watchdog_using_subcommand notify; and __fish_seen_subcommand_from log" -l socket -d 'Unix socket of the server [env: WATCHDOG_SOCKET] [default: $XDG_RUNTIME_DIR/watchdog.sock, else in the data directory]' -r -F
complete -c watchdog -n "__fish_watchdog_using_subcommand notify; and __fish_seen_subcommand_from log" -l color -d 'When to use colours: auto, always or never' -r -f -a "auto\t'On a terminal, unless `NO_COLOR` is set'
always\t'Always'
never\t'Never'"
complete -c watchdog -n "__fish_watchdog_using_subcommand notify; and __fish_seen_subcommand_from log" -l json -d 'Print JSON'
complete -c watchdog -n "__fish_watchdog_using_subcommand notify; and __fish_seen_subcommand_from log" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c watchdog -n "__fish_watchdog_using_subcommand notify; and __fish_seen_subcommand_from resend" -s c -l config-dir -d 'Directory of the configuration [env: WATCHDOG_CONFIG_DIR] [default: . if it holds monitors.d, else ~/.config/watchdog, else /etc/watchdog]' -r -F
complete -c watchdog -n "__fish_watchdog_using_subcommand notify; and __fish_seen_subcommand_from resend" -l data-dir -d 'Directory of the state [env: WATCHDOG_DATA_DIR] [default: ~/.local/state/watchdog; root: /var/lib/watchdog]' -r -F
complete -c watchdog -n "__fish_watchdog_using_subcommand notify; and __fish_seen_subcommand_from resend" -l socket -d 'Unix socket of the server [env: WATCHDOG_SOCKET] [default: $XDG_RUNTIME_DIR/watchdog.sock, else in the data directory]' -r -F
complete -c watchdog -n "__fish_watchdog_using_subcommand notify; and __fish_seen_subcommand_from resend" -l color -d 'When to use colours: auto, always or never' -r -f -a "auto\t'On a terminal, unless `NO_COLOR` is set'
always\t'Always'
never\t'Never'"
complete -c watchdog -n "__fish_watchdog_using_subcommand notify; and __fish_seen_subcommand_from resend" -l json -d 'Print JSON'
complete -c watchdog -n "__fish_watchdog_using_subcommand notify; and __fish_seen_subcommand_from resend" -s h -l help -d 'Print help'
complete -c watchdog -n "__fish_watchdog_using_subcommand notify; and __fish_seen_subcommand_from test" -s c -l config-dir -d 'Directory of the configuration [env: WATCHDOG_CONFIG_DIR] [default: . if it holds monitors.d, else ~/.config/watchdog, else /etc/watchdog]' -r -F
complete -c watchdog -n "__fish_watchdog_using_subcommand notify; and __fish_seen_subcommand_from test" -l data-dir -d 'Directory of the state [env: WATCHDOG_DATA_DIR] [default: ~/.local/state/watchdog; root: /var/lib/watchdog]' -r -F
complete -c watchdog -n "__fish_watchdog_using_subcommand notify; and __fish_seen_subcommand_from test" -l socket -d 'Unix socket of the server [env: WATCHDOG_SOCKET] [default: $XDG_RUNTIME_DIR/watchdog.sock, else in the data directory]' -r -F
complete -c watchdog -n "__fish_watchdog_using_subcommand notify; and __fish_seen_subcommand_from test" -l color -d 'When to use colours: auto, always or never' -r -f -a "auto\t'On a terminal, unless `NO_COLOR` is set'
always\t'Always'
never\t'Never'"
complete -c watchdog -n "__fish_watchdog_using_subcommand notify; and __fish_seen_subcommand_from test" -l json -d 'Print JSON'
complete -c watchdog -n "__fish_watchdog_using_subcommand notify; and __fish_seen_subcommand_from test" -s h -l help -d 'Print help'
complete -c watchdog -n "__fish_watchdog_using_subcommand notify; and __fish_seen_subcommand_from routes" -s c -l config-dir -d 'Directory of the configuration [env: WATCHDOG_CONFIG_DIR] [default: . if it holds monitors.d, else ~/.config/watchdog, else /etc/watchdog]' -r -F
complete -c watchdog -n "__fish_watchdog_using_subcommand notify; and __fish_seen_subcommand_from routes" -l data-dir -d 'Directory of the state [env: WATCHDOG_DATA_DIR] [default: ~/.local/state/watchdog; root: /var/lib/watchdog]' -r -F
complete -c watchdog -n "__fish_watchdog_using_subcommand notify; and __fish_seen_subcommand_from routes" -l socket -d 'Unix socket of the server [env: WATCHDOG_SOCKET] [default: $XDG_RUNTIME_DIR/watchdog.sock, else in the data directory]' -r -F
complete -c watchdog -n "__fish_watchdog_using_subcommand notify; and __fish_seen_subcommand_from routes" -l color -d 'When to use colours: auto, always or never' -r -f -a "auto\t'On a terminal, unless `NO_COLOR` is set'
always\t'Always'
never\t'Never'"
complete -c watchdog -n "__fish_watchdog_using_subcommand notify; and __fish_seen_subcommand_from routes" -l json -d 'Print JSON'
complete -c watchdog -n "__fish_watchdog_using_subcommand notify; and __fish_seen_subcommand_from routes" -s h -l help -d 'Print help'
complete -c watchdog -n "__fish_watchdog_using_subcommand notify; and __fish_seen_subcommand_from help" -f -a "list" -d 'List the notifiers and how they do'
complete -c watchdog -n "__fish_watchdog_using_subcommand notify; and __fish_seen_subcommand_from help" -f -a "log" -d 'List what was said to whom, newest last'
complete -c watchdog -n "__fish_watchdog_using_subcommand notify; and __fish_seen_subcommand_from help" -f -a "resend" -d 'Say once more what a notification of the log said'
complete -c watchdog -n "__fish_watchdog_using_subcommand notify; and __fish_seen_subcommand_from help" -f -a "test" -d 'Send a test message through a notifier; exit code 1 when it is not taken'
complete -c watchdog -n "__fish_watchdog_using_subcommand notify; and __fish_seen_subcommand_from help" -f -a "routes" -d 'Show the tree of routes, or where an alert with certain labels goes'
complete -c watchdog -n "__fish_watchdog_using_subcommand notify; and __fish_seen_subcommand_from help" -f -a "help" -d 'Print this message or the help of the given subcommand(s)'
complete -c watchdog -n "__fish_watchdog_using_subcommand drill" -s c -l config-dir -d 'Directory of the configuration [env: WATCHDOG_CONFIG_DIR] [default: . if it holds monitors.d, else ~/.config/watchdog, else /etc/watchdog]' -r -F
complete -c watchdog -n "__fish_watchdog_using_subcommand drill" -l data-dir -d 'Directory of the state [env: WATCHDOG_DATA_DIR] [default: ~/.local/state/watchdog; root: /var/lib/watchdog]' -r -F
complete -c watchdog -n "__fish_watchdog_using_subcommand drill" -l socket -d 'Unix socket of the server [env: WATCHDOG_SOCKET] [default: $XDG_RUNTIME_DIR/watchdog.sock, else in the data directory]' -r -F
complete -c watchdog -n "__fish_watchdog_using_subcommand drill" -l color -d 'When to use colours: auto, always or never' -r -f -a "auto\t'On a terminal, unless `NO_COLOR` is set'
always\t'Always'
never\t'Never'"
complete -c watchdog -n "__fish_watchdog_using_subcommand drill" -l json -d 'Print JSON'
complete -c watchdog -n "__fish_watchdog_using_subcommand drill" -s h -l help -d 'Print help'
complete -c watchdog -n "__fish_watchdog_using_subcommand query" -l at -d 'Evaluate at this time: RFC 3339, Unix seconds, `now-1h` or `-1h` [default: now]' -r
complete -c watchdog -n "__fish_watchdog_using_subcommand query" -l start -d 'Evaluate at every step from this time on' -r
complete -c watchdog -n "__fish_watchdog_using_subcommand query" -l end -d 'Last time of a range [default: now]' -r
complete -c watchdog -n "__fish_watchdog_using_subcommand query" -l step -d 'Distance of the steps of a range, such as `30s` [default: about 100 steps, with `--chart` one per column]' -r
complete -c watchdog -n "__fish_watchdog_using_subcommand query" -l range -d 'Length of a range that ends at `--end`, such as `1h`' -r
complete -c watchdog -n "__fish_watchdog_using_subcommand query" -l timeout -d 'Give up after this time, if the server does not earlier' -r
complete -c watchdog -n "__fish_watchdog_using_subcommand query" -l limit -d 'At most so many series' -r
complete -c watchdog -n "__fish_watchdog_using_subcommand query" -l glyphs -d 'Which characters to draw with' -r -f -a "auto\t'As the locale says'
unicode\t'Lines, blocks and dots of Unicode'
ascii\t'Nothing beyond ASCII'"
complete -c watchdog -n "__fish_watchdog_using_subcommand query" -s c -l config-dir -d 'Directory of the configuration [env: WATCHDOG_CONFIG_DIR] [default: . if it holds monitors.d, else ~/.config/watchdog, else /etc/watchdog]' -r -F
complete -c watchdog -n "__fish_watchdog_using_subcommand query" -l data-dir -d 'Directory of the state [env: WATCHDOG_DATA_DIR] [default: ~/.local/state/watchdog; root: /var/lib/watchdog]' -r -F
complete -c watchdog -n "__fish_watchdog_using_subcommand query" -l socket -d 'Unix socket of the server [env: WATCHDOG_SOCKET] [default: $XDG_RUNTIME_DIR/watchdog.sock, else in the data directory]' -r -F
complete -c watchdog -n "__fish_watchdog_using_subcommand query" -l color -d 'When to use colours: auto, always or never' -r -f -a "auto\t'On a terminal, unless `NO_COLOR` is set'
always\t'Always'
never\t'Never'"
complete -c watchdog -n "__fish_watchdog_using_subcommand query" -l chart -d 'Draw the range; the last hour if none is named'
complete -c watchdog -n "__fish_watchdog_using_subcommand query" -l csv -d 'Print comma-separated values'
complete -c watchdog -n "__fish_watchdog_using_subcommand query" -l json -d 'Print JSON'
complete -c watchdog -n "__fish_watchdog_using_subcommand query" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c watchdog -n "__fish_watchdog_using_subcommand sla; and not __fish_seen_subcommand_from report help" -s c -l config-dir -d 'Directory of the configuration [env: WATCHDOG_CONFIG_DIR] [default: . if it holds monitors.d, else ~/.config/watchdog, else /etc/watchdog]' -r -F
complete -c watchdog -n "__fish_watchdog_using_subcommand sla; and not __fish_seen_subcommand_from report help" -l data-dir -d 'Directory of the state [env: WATCHDOG_DATA_DIR] [default: ~/.local/state/watchdog; root: /var/lib/watchdog]' -r -F
complete -c watchdog -n "__fish_watchdog_using_subcommand sla; and not __fish_seen_subcommand_from report help" -l socket -d 'Unix socket of the server [env: WATCHDOG_SOCKET] [default: $XDG_RUNTIME_DIR/watchdog.sock, else in the data directory]' -r -F
complete -c watchdog -n "__fish_watchdog_using_subcommand sla; and not __fish_seen_subcommand_from report help" -l color -d 'When to use colours: auto, always or never' -r -f -a "auto\t'On a terminal, unless `NO_COLOR` is set'
always\t'Always'
never\t'Never'"
complete -c watchdog -n "__fish_watchdog_using_subcommand sla; and not __fish_seen_subcommand_from report help" -l json -d 'Print JSON'
complete -c watchdog -n "__fish_watchdog_using_subcommand sla; and not __fish_seen_subcommand_from report help" -s h -l help -d 'Print help'
complete -c watchdog -n "__fish_watchdog_using_subcommand sla; and not __fish_seen_subcommand_from report help" -f -a "report" -d 'Tell how available monitors were, and what is left of their error budgets; exit code 1 when one missed its objective'
complete -c watchdog -n "__fish_watchdog_using_subcommand sla; and not __fish_seen_subcommand_from report help" -f -a "help" -d 'Print this message or the help of the given subcommand(s)'
complete -c watchdog -n "__fish_watchdog_using_subcommand sla; and __fish_seen_subcommand_from report" -l month -d 'A month [default: the present one]' -r
complete -c watchdog -n "__fish_watchdog_using_subcommand sla; and __fish_seen_subcommand_from report" -l from -d 'From this time on: RFC 3339, Unix seconds, `now-1h` or `-1h`' -r
complete -c watchdog -n "__fish_watchdog_using_subcommand sla; and __fish_seen_subcommand_from report" -l to -d 'Up to this time [default: now]' -r
complete -c watchdog -n "__fish_watchdog_using_subcommand sla; and __fish_seen_subcommand_from report" -l timezone -d 'Whose month, an IANA name [default: the server\'s `time_zone`, or UTC]' -r
complete -c watchdog -n "__fish_watchdog_using_subcommand sla; and __fish_seen_subcommand_from report" -s f -l filter -d 'Only monitors whose labels match: `team="web"`; may be given several times' -r
complete -c watchdog -n "__fish_watchdog_using_subcommand sla; and __fish_seen_subcommand_from report" -l format -d 'How to write it' -r -f -a "table\t'For a terminal'
csv\t'One line for each monitor, times in seconds'
md\t'Markdown, with the downtimes'
json\t'As the API gives it'"
complete -c watchdog -n "__fish_watchdog_using_subcommand sla; and __fish_seen_subcommand_from report" -s c -l config-dir -d 'Directory of the configuration [env: WATCHDOG_CONFIG_DIR] [default: . if it holds monitors.d, else ~/.config/watchdog, else /etc/watchdog]' -r -F
complete -c watchdog -n "__fish_watchdog_using_subcommand sla; and __fish_seen_subcommand_from report" -l data-dir -d 'Directory of the state [env: WATCHDOG_DATA_DIR] [default: ~/.local/state/watchdog; root: /var/lib/watchdog]' -r -F
complete -c watchdog -n "__fish_watchdog_using_subcommand sla; and __fish_seen_subcommand_from report" -l socket -d 'Unix socket of the server [env: WATCHDOG_SOCKET] [default: $XDG_RUNTIME_DIR/watchdog.sock, else in the data directory]' -r -F
complete -c watchdog -n "__fish_watchdog_using_subcommand sla; and __fish_seen_subcommand_from report" -l color -d 'When to use colours: auto, always or never' -r -f -a "auto\t'On a terminal, unless `NO_COLOR` is set'
always\t'Always'
never\t'Never'"
complete -c watchdog -n "__fish_watchdog_using_subcommand sla; and __fish_seen_subcommand_from report" -l json -d 'Print JSON'
complete -c watchdog -n "__fish_watchdog_using_subcommand sla; and __fish_seen_subcommand_from report" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c watchdog -n "__fish_watchdog_using_subcommand sla; and __fish_seen_subcommand_from help" -f -a "report" -d 'Tell how available monitors were, and what is left of their error budgets; exit code 1 when one missed its objective'
complete -c watchdog -n "__fish_watchdog_using_subcommand sla; and __fish_seen_subcommand_from help" -f -a "help" -d 'Print this message or the help of the given subcommand(s)'
complete -c watchdog -n "__fish_watchdog_using_subcommand probe; and not __fish_seen_subcommand_from http tcp udp ping dns unix tls grpc websocket smtp imap ssh ntp redis postgres mysql mqtt domain file cert-file docker kubernetes script host prometheus help" -l timeout -d 'Give up after this long; covers name lookup, connection, TLS and answer' -r
complete -c watchdog -n "__fish_watchdog_using_subcommand probe; and not __fish_seen_subcommand_from http tcp udp ping dns unix tls grpc websocket smtp imap ssh ntp redis postgres mysql mqtt domain file cert-file docker kubernetes script host prometheus help" -l glyphs -d 'What bars are drawn with' -r -f -a "unicode\t''
ascii\t''"
complete -c watchdog -n "__fish_watchdog_using_subcommand probe; and not __fish_seen_subcommand_from http tcp udp ping dns unix tls grpc websocket smtp imap ssh ntp redis postgres mysql mqtt domain file cert-file docker kubernetes script host prometheus help" -s c -l config-dir -d 'Directory of the configuration [env: WATCHDOG_CONFIG_DIR] [default: . if it holds monitors.d, else ~/.config/watchdog, else /etc/watchdog]' -r -F
complete -c watchdog -n "__fish_watchdog_using_subcommand probe; and not __fish_seen_subcommand_from http tcp udp ping dns unix tls grpc websocket smtp imap ssh ntp redis postgres mysql mqtt domain file cert-file docker kubernetes script host prometheus help" -l data-dir -d 'Directory of the state [env: WATCHDOG_DATA_DIR] [default: ~/.local/state/watchdog; root: /var/lib/watchdog]' -r -F
complete -c watchdog -n "__fish_watchdog_using_subcommand probe; and not __fish_seen_subcommand_from http tcp udp ping dns unix tls grpc websocket smtp imap ssh ntp redis postgres mysql mqtt domain file cert-file docker kubernetes script host prometheus help" -l socket -d 'Unix socket of the server [env: WATCHDOG_SOCKET] [default: $XDG_RUNTIME_DIR/watchdog.sock, else in the data directory]' -r -F
complete -c watchdog -n "__fish_watchdog_using_subcommand probe; and not __fish_seen_subcommand_from http tcp udp ping dns unix tls grpc websocket smtp imap ssh ntp redis postgres mysql mqtt domain file cert-file docker kubernetes script host prometheus help" -l color -d 'When to use colours: auto, always or never' -r -f -a "auto\t'On a terminal, unless `NO_COLOR` is set'
always\t'Always'
never\t'Never'"
complete -c watchdog -n "__fish_watchdog_using_subcommand probe; and not __fish_seen_subcommand_from http tcp udp ping dns unix tls grpc websocket smtp imap ssh ntp redis postgres mysql mqtt domain file cert-file docker kubernetes script host prometheus help" -l nagios -d 'Behave as a Nagios plugin: one line with performance data, and Nagios\' exit codes'
complete -c watchdog -n "__fish_watchdog_using_subcommand probe; and not __fish_seen_subcommand_from http tcp udp ping dns unix tls grpc websocket smtp imap ssh ntp redis postgres mysql mqtt domain file cert-file docker kubernetes script host prometheus help" -l json -d 'Print JSON'
complete -c watchdog -n "__fish_watchdog_using_subcommand probe; and not __fish_seen_subcommand_from http tcp udp ping dns unix tls grpc websocket smtp imap ssh ntp redis postgres mysql mqtt domain file cert-file docker kubernetes script host prometheus help" -s h -l help -d 'Print help'
complete -c watchdog -n "__fish_watchdog_using_subcommand probe; and not __fish_seen_subcommand_from http tcp udp ping dns unix tls grpc websocket smtp imap ssh ntp redis postgres mysql mqtt domain file cert-file docker kubernetes script host prometheus help" -f -a "http" -d 'One HTTP request, or several steps'
complete -c watchdog -n "__fish_watchdog_using_subcommand probe; and not __fish_seen_subcommand_from http tcp udp ping dns unix tls grpc websocket smtp imap ssh ntp redis postgres mysql mqtt domain file cert-file docker kubernetes script host prometheus help" -f -a "tcp" -d 'One TCP connection'
complete -c watchdog -n "__fish_watchdog_using_subcommand probe; and not __fish_seen_subcommand_from http tcp udp ping dns unix tls grpc websocket smtp imap ssh ntp redis postgres mysql mqtt domain file cert-file docker kubernetes script host prometheus help" -f -a "udp" -d 'Datagrams to one port, and their answers'
complete -c watchdog -n "__fish_watchdog_using_subcommand probe; and not __fish_seen_subcommand_from http tcp udp ping dns unix tls grpc websocket smtp imap ssh ntp redis postgres mysql mqtt domain file cert-file docker kubernetes script host prometheus help" -f -a "ping" -d 'ICMP echo: loss and round-trip times'
complete -c watchdog -n "__fish_watchdog_using_subcommand probe; and not __fish_seen_subcommand_from http tcp udp ping dns unix tls grpc websocket smtp imap ssh ntp redis postgres mysql mqtt domain file cert-file docker kubernetes script host prometheus help" -f -a "dns" -d 'Name servers: what they answer, how fast, and whether they agree'
complete -c watchdog -n "__fish_watchdog_using_subcommand probe; and not __fish_seen_subcommand_from http tcp udp ping dns unix tls grpc websocket smtp imap ssh ntp redis postgres mysql mqtt domain file cert-file docker kubernetes script host prometheus help" -f -a "unix" -d 'One connection to a Unix socket'
complete -c watchdog -n "__fish_watchdog_using_subcommand probe; and not __fish_seen_subcommand_from http tcp udp ping dns unix tls grpc websocket smtp imap ssh ntp redis postgres mysql mqtt domain file cert-file docker kubernetes script host prometheus help" -f -a "tls" -d 'One TLS handshake and its certificate'
complete -c watchdog -n "__fish_watchdog_using_subcommand probe; and not __fish_seen_subcommand_from http tcp udp ping dns unix tls grpc websocket smtp imap ssh ntp redis postgres mysql mqtt domain file cert-file docker kubernetes script host prometheus help" -f -a "grpc" -d 'One gRPC health check'
complete -c watchdog -n "__fish_watchdog_using_subcommand probe; and not __fish_seen_subcommand_from http tcp udp ping dns unix tls grpc websocket smtp imap ssh ntp redis postgres mysql mqtt domain file cert-file docker kubernetes script host prometheus help" -f -a "websocket" -d 'One WebSocket connection'
complete -c watchdog -n "__fish_watchdog_using_subcommand probe; and not __fish_seen_subcommand_from http tcp udp ping dns unix tls grpc websocket smtp imap ssh ntp redis postgres mysql mqtt domain file cert-file docker kubernetes script host prometheus help" -f -a "smtp" -d 'One mail server: greeting, encryption, login'
complete -c watchdog -n "__fish_watchdog_using_subcommand probe; and not __fish_seen_subcommand_from http tcp udp ping dns unix tls grpc websocket smtp imap ssh ntp redis postgres mysql mqtt domain file cert-file docker kubernetes script host prometheus help" -f -a "imap" -d 'One mailbox over IMAP'
complete -c watchdog -n "__fish_watchdog_using_subcommand probe; and not __fish_seen_subcommand_from http tcp udp ping dns unix tls grpc websocket smtp imap ssh ntp redis postgres mysql mqtt domain file cert-file docker kubernetes script host prometheus help" -f -a "ssh" -d 'One SSH server: host key, login, one command'
complete -c watchdog -n "__fish_watchdog_using_subcommand probe; and not __fish_seen_subcommand_from http tcp udp ping dns unix tls grpc websocket smtp imap ssh ntp redis postgres mysql mqtt domain file cert-file docker kubernetes script host prometheus help" -f -a "ntp" -d 'The time of one NTP server'
complete -c watchdog -n "__fish_watchdog_using_subcommand probe; and not __fish_seen_subcommand_from http tcp udp ping dns unix tls grpc websocket smtp imap ssh ntp redis postgres mysql mqtt domain file cert-file docker kubernetes script host prometheus help" -f -a "redis" -d 'One login to a Redis or Valkey server, and one command'
complete -c watchdog -n "__fish_watchdog_using_subcommand probe; and not __fish_seen_subcommand_from http tcp udp ping dns unix tls grpc websocket smtp imap ssh ntp redis postgres mysql mqtt domain file cert-file docker kubernetes script host prometheus help" -f -a "postgres" -d 'One login to a PostgreSQL server, and one query'
complete -c watchdog -n "__fish_watchdog_using_subcommand probe; and not __fish_seen_subcommand_from http tcp udp ping dns unix tls grpc websocket smtp imap ssh ntp redis postgres mysql mqtt domain file cert-file docker kubernetes script host prometheus help" -f -a "mysql" -d 'One login to a MySQL or MariaDB server, and one query'
complete -c watchdog -n "__fish_watchdog_using_subcommand probe; and not __fish_seen_subcommand_from http tcp udp ping dns unix tls grpc websocket smtp imap ssh ntp redis postgres mysql mqtt domain file cert-file docker kubernetes script host prometheus help" -f -a "mqtt" -d 'One login to an MQTT broker, and one message'
complete -c watchdog -n "__fish_watchdog_using_subcommand probe; and not __fish_seen_subcommand_from http tcp udp ping dns unix tls grpc websocket smtp imap ssh ntp redis postgres mysql mqtt domain file cert-file docker kubernetes script host prometheus help" -f -a "domain" -d 'A domain\'s registration: expiry, state, name servers'
complete -c watchdog -n "__fish_watchdog_using_subcommand probe; and not __fish_seen_subcommand_from http tcp udp ping dns unix tls grpc websocket smtp imap ssh ntp redis postgres mysql mqtt domain file cert-file docker kubernetes script host prometheus help" -f -a "file" -d 'A file, or the files of a pattern'
complete -c watchdog -n "__fish_watchdog_using_subcommand probe; and not __fish_seen_subcommand_from http tcp udp ping dns unix tls grpc websocket smtp imap ssh ntp redis postgres mysql mqtt domain file cert-file docker kubernetes script host prometheus help" -f -a "cert-file" -d 'Certificates in files: expiry, names, key'
complete -c watchdog -n "__fish_watchdog_using_subcommand probe; and not __fish_seen_subcommand_from http tcp udp ping dns unix tls grpc websocket smtp imap ssh ntp redis postgres mysql mqtt domain file cert-file docker kubernetes script host prometheus help" -f -a "docker" -d 'The containers of a Docker or Podman'
complete -c watchdog -n "__fish_watchdog_using_subcommand probe; and not __fish_seen_subcommand_from http tcp udp ping dns unix tls grpc websocket smtp imap ssh ntp redis postgres mysql mqtt domain file cert-file docker kubernetes script host prometheus help" -f -a "kubernetes" -d 'The nodes and workloads of a Kubernetes cluster'
complete -c watchdog -n "__fish_watchdog_using_subcommand probe; and not __fish_seen_subcommand_from http tcp udp ping dns unix tls grpc websocket smtp imap ssh ntp redis postgres mysql mqtt domain file cert-file docker kubernetes script host prometheus help" -f -a "script" -d 'One run of a program, judged as Nagios does'
complete -c watchdog -n "__fish_watchdog_using_subcommand probe; and not __fish_seen_subcommand_from http tcp udp ping dns unix tls grpc websocket smtp imap ssh ntp redis postgres mysql mqtt domain file cert-file docker kubernetes script host prometheus help" -f -a "host" -d 'This machine'
complete -c watchdog -n "__fish_watchdog_using_subcommand probe; and not __fish_seen_subcommand_from http tcp udp ping dns unix tls grpc websocket smtp imap ssh ntp redis postgres mysql mqtt domain file cert-file docker kubernetes script host prometheus help" -f -a "prometheus" -d 'One scrape of Prometheus metrics'
complete -c watchdog -n "__fish_watchdog_using_subcommand probe; and not __fish_seen_subcommand_from http tcp udp ping dns unix tls grpc websocket smtp imap ssh ntp redis postgres mysql mqtt domain file cert-file docker kubernetes script host prometheus help" -f -a "help" -d 'Print this message or the help of the given subcommand(s)'
complete -c watchdog -n "__fish_watchdog_using_subcommand probe; and __fish_seen_subcommand_from http" -l method -d 'Request method' -r
complete -c watchdog -n "__fish_watchdog_using_subcommand probe; and __fish_seen_subcommand_from http" -l header -d 'Request header, `Name: value`' -r
complete -c watchdog -n "__fish_watchdog_using_subcommand probe; and __fish_seen_subcommand_from http" -l body -d 'Request body' -r
complete -c watchdog -n "__fish_watchdog_using_subcommand probe; and __fish_seen_subcommand_from http" -l body-file -d 'File that holds the request body' -r
complete -c watchdog -n "__fish_watchdog_using_subcommand probe; and __fish_seen_subcommand_from http" -l json-body -d 'Request body of JSON; the method is then POST if none is given' -r
complete -c watchdog -n "__fish_watchdog_using_subcommand probe; and __fish_seen_subcommand_from http" -l user -d 'Basic authentication' -r
complete -c watchdog -n "__fish_watchdog_using_subcommand probe; and __fish_seen_subcommand_from http" -l digest -d 'Digest authentication' -r
complete -c watchdog -n "__fish_watchdog_using_subcommand probe; and __fish_seen_subcommand_from http" -l bearer -d 'Bearer token' -r
complete -c watchdog -n "__fish_watchdog_using_subcommand probe; and __fish_seen_subcommand_from http" -l proxy -d 'Proxy, e.g. `http://proxy.example.com:3128`, `https://…` or `socks5://…`' -r
complete -c watchdog -n "__fish_watchdog_using_subcommand probe; and __fish_seen_subcommand_from http" -l no-proxy -d 'Host, domain or network that is asked without the proxy' -r
complete -c watchdog -n "__fish_watchdog_using_subcommand probe; and __fish_seen_subcommand_from http" -l proxy-header -d 'Header of `CONNECT`, which the proxy alone sees, `Name: value`' -r
complete -c watchdog -n "__fish_watchdog_using_subcommand probe; and __fish_seen_subcommand_from http" -l compression -d 'Encoding that is asked for and must come: gzip, deflate, br or zstd' -r
complete -c watchdog -n "__fish_watchdog_using_subcommand probe; and __fish_seen_subcommand_from http" -l redirects -d 'Redirects followed; 0 takes the redirect as the answer' -r
complete -c watchdog -n "__fish_watchdog_using_subcommand probe; and __fish_seen_subcommand_from http" -l max-body -d 'Bytes of the body that are read, e.g. `64KiB`' -r
complete -c watchdog -n "__fish_watchdog_using_subcommand probe; and __fish_seen_subcommand_from http" -l expect-status -d 'Status codes that are fine, e.g. `200-299,404`' -r
complete -c watchdog -n "__fish_watchdog_using_subcommand probe; and __fish_seen_subcommand_from http" -l expect-contains -d 'Text that the body must contain' -r
complete -c watchdog -n "__fish_watchdog_using_subcommand probe; and __fish_seen_subcommand_from http" -l expect-not-contains -d 'Text that the body must not contain' -r
complete -c watchdog -n "__fish_watchdog_using_subcommand probe; and __fish_seen_subcommand_from http" -l expect-matches -d 'Regular expression that the body must match' -r
complete -c watchdog -n "__fish_watchdog_using_subcommand probe; and __fish_seen_subcommand_from http" -l expect-not-matches -d 'Regular expression that the body must not match' -r
complete -c watchdog -n "__fish_watchdog_using_subcommand probe; and __fish_seen_subcommand_from http" -l expect-json -d 'JSON path and the value it must have' -r
complete -c watchdog -n "__fish_watchdog_using_subcommand probe; and __fish_seen_subcommand_from http" -l expect-header -d 'Response header and its value, or a regular expression between slashes' -r
complete -c watchdog -n "__fish_watchdog_using_subcommand probe; and __fish_seen_subcommand_from http" -l expect-title -d 'Title of the page, or a regular expression between slashes' -r
complete -c watchdog -n "__fish_watchdog_using_subcommand probe; and __fish_seen_subcommand_from http" -l expect-final-url -d 'Address that answers in the end, or a regular expression between slashes' -r
complete -c watchdog -n "__fish_watchdog_using_subcommand probe; and __fish_seen_subcommand_from http" -l expect-redirects -d 'Number of redirects' -r
complete -c watchdog -n "__fish_watchdog_using_subcommand probe; and __fish_seen_subcommand_from http" -l cert-valid-for -d 'Least time for which the certificate must still be valid, e.g. `14d`' -r
complete -c watchdog -n "__fish_watchdog_using_subcommand probe; and __fish_seen_subcommand_from http" -l latency-below -d 'Down when the probe takes this long or longer' -r
complete -c watchdog -n "__fish_watchdog_using_subcommand probe; and __fish_seen_subcommand_from http" -l degraded-above -d 'Degraded when it takes longer than this' -r
complete -c watchdog -n "__fish_watchdog_using_subcommand probe; and __fish_seen_subcommand_from http" -l server-name -d 'Name that the certificate must be for' -r
complete -c watchdog -n "__fish_watchdog_using_subcommand probe; and __fish_seen_subcommand_from http" -l ca-file -d 'PEM file with the CA to trust instead of the system\'s' -r
complete -c watchdog -n "__fish_watchdog_using_subcommand probe; and __fish_seen_subcommand_from http" -l client-cert -d 'PEM file with the client certificate to show' -r
complete -c watchdog -n "__fish_watchdog_using_subcommand probe; and __fish_seen_subcommand_from http" -l client-key -d 'PEM file with its private key' -r
complete -c watchdog -n "__fish_watchdog_using_subcommand probe; and __fish_seen_subcommand_from http" -l tls-min -d 'Lowest version of TLS that is offered, `1.2` or `1.3`' -r
complete -c watchdog -n "__fish_watchdog_using_subcommand probe; and __fish_seen_subcommand_from http" -l tls-max -d 'Highest version of TLS that is offered' -r
complete -c watchdog -n "__fish_watchdog_using_subcommand probe; and __fish_seen_subcommand_from http" -l ip-version -d '`4`, `6`, `prefer4` or `prefer6`' -r
complete -c watchdog -n "__fish_watchdog_using_subcommand probe; and __fish_seen_subcommand_from http" -l resolver -d 'DNS server to ask instead of the system\'s resolver' -r
complete -c watchdog -n "__fish_watchdog_using_subcommand probe; and __fish_seen_subcommand_from http" -l connect-to -d 'Address to dial, whatever the name says' -r
complete -c watchdog -n "__fish_watchdog_using_subcommand probe; and __fish_seen_subcommand_from http" -l set -d 'Any option of the kind, dots between levels, e.g. `expect.latency.below=1s`; the guide lists them' -r
complete -c watchdog -n "__fish_watchdog_using_subcommand probe; and __fish_seen_subcommand_from http" -l timeout -d 'Give up after this long; covers name lookup, connection, TLS and answer' -r
complete -c watchdog -n "__fish_watchdog_using_subcommand probe; and __fish_seen_subcommand_from http" -l glyphs -d 'What bars are drawn with' -r -f -a "unicode\t''
ascii\t''"
complete -c watchdog -n "__fish_watchdog_using_subcommand probe; and __fish_seen_subcommand_from http" -s c -l config-dir -d 'Directory of the configuration [env: WATCHDOG_CONFIG_DIR] [default: . if it holds monitors.d, else ~/.config/watchdog, else /etc/watchdog]' -r -F
complete -c watchdog -n "__fish_watchdog_using_subcommand probe; and __fish_seen_subcommand_from http" -l data-dir -d 'Directory of the state [env: WATCHDOG_DATA_DIR] [default: ~/.local/state/watchdog; root: /var/lib/watchdog]' -r -F
complete -c watchdog -n "__fish_watchdog_using_subcommand probe; and __fish_seen_subcommand_from http" -l socket -d 'Unix socket of the server [env: WATCHDOG_SOCKET] [default: $XDG_RUNTIME_DIR/watchdog.sock, else in the data directory]' -r -F
complete -c watchdog -n "__fish_watchdog_using_subcommand probe; and __fish_seen_subcommand_from http" -l color -d 'When to use colours: auto, always or never' -r -f -a "auto\t'On a terminal, unless `NO_COLOR` is set'
always\t'Always'
never\t'Never'"
complete -c watchdog -n "__fish_watchdog_using_subcommand probe; and __fish_seen_subcommand_from http" -l http1 -d 'Speak HTTP/1.1 alone'
complete -c watchdog -n "__fish_watchdog_using_subcommand probe; and __fish_seen_subcommand_from http" -l http2 -d 'Speak HTTP/2 alone; without TLS with prior knowledge'
complete -c watchdog -n "__fish_watchdog_using_subcommand probe; and __fish_seen_subcommand_from http" -l proxy-from-environment -d 'Take the proxy from `HTTP_PROXY`, `HTTPS_PROXY` and `NO_PROXY` of the environment'
complete -c watchdog -n "__fish_watchdog_using_subcommand probe; and __fish_seen_subcommand_from http" -l no-follow -d 'Take a redirect as the answer'
complete -c watchdog -n "__fish_watchdog_using_subcommand probe; and __fish_seen_subcommand_from http" -l no-cookies -d 'Forget cookies between redirects'
complete -c watchdog -n "__fish_watchdog_using_subcommand probe; and __fish_seen_subcommand_from http" -l insecure -d 'Do not verify the certificate'
complete -c watchdog -n "__fish_watchdog_using_subcommand probe; and __fish_seen_subcommand_from http" -l nagios -d 'Behave as a Nagios plugin: one line with performance data, and Nagios\' exit codes'
complete -c watchdog -n "__fish_watchdog_using_subcommand probe; and __fish_seen_subcommand_from http" -l json -d 'Print JSON'
complete -c watchdog -n "__fish_watchdog_using_subcommand probe; and __fish_seen_subcommand_from http" -s h -l help -d 'Print help'
complete -c watchdog -n "__fish_watchdog_using_subcommand probe; and __fish_seen_subcommand_from tcp" -l send -d 'Text to send' -r
complete -c watchdog -n "__fish_watchdog_using_subcommand probe; and __fish_seen_subcommand_from tcp" -l send-line -d 'Text to send, with a line\'s end' -r
complete -c watchdog -n "__fish_watchdog_using_subcommand probe; and __fish_seen_subcommand_from tcp" -l send-hex -d 'Bytes to send, in hexadecimal digits' -r
complete -c watchdog -n "__fish_watchdog_using_subcommand probe; and __fish_seen_subcommand_from tcp" -l expect-contains -d 'Text that the answer must contain' -r
complete -c watchdog -n "__fish_watchdog_using_subcommand probe; and __fish_seen_subcommand_from tcp" -l expect-matches -d 'Regular expression that the answer must match' -r
complete -c watchdog -n "__fish_watchdog_using_subcommand probe; and __fish_seen_subcommand_from tcp" -l server-name -d 'Name that the certificate must be for' -r
complete -c watchdog -n "__fish_watchdog_using_subcommand probe; and __fish_seen_subcommand_from tcp" -l ca-file -d 'PEM file with the CA to trust instead of the system\'s' -r
complete -c watchdog -n "__fish_watchdog_using_subcommand probe; and __fish_seen_subcommand_from tcp" -l client-cert -d 'PEM file with the client certificate to show' -r
complete -c watchdog -n "__fish_watchdog_using_subcommand probe; and __fish_seen_subcommand_from tcp" -l client-key -d 'PEM file with its private key' -r
complete -c watchdog -n "__fish_watchdog_using_subcommand probe; and __fish_seen_subcommand_from tcp" -l tls-min -d 'Lowest version of TLS that is offered, `1.2` or `1.3`' -r
complete -c watchdog -n "__fish_watchdog_using_subcommand probe; and __fish_seen_subcommand_from tcp" -l tls-max -d 'Highest version of TLS that is offered' -r
complete -c watchdog -n "__fish_watchdog_using_subcommand probe; and __fish_seen_subcommand_from tcp" -l ip-version -d '`4`, `6`, `prefer4` or `prefer6`' -r
complete -c watchdog -n "__fish_watchdog_using_subcommand probe; and __fish_seen_subcommand_from tcp" -l resolver -d 'DNS server to ask instead of the system\'s resolver' -r
complete -c watchdog -n "__fish_watchdog_using_subcommand probe; and __fish_seen_subcommand_from tcp" -l connect-to -d 'Address to dial, whatever the name says' -r
complete -c watchdog -n "__fish_watchdog_using_subcommand probe; and __fish_seen_subcommand_from tcp" -l latency-below -d 'Down when the probe takes this long or longer' -r
complete -c watchdog -n "__fish_watchdog_using_subcommand probe; and __fish_seen_subcommand_from tcp" -l degraded-above -d 'Degraded when it takes longer than this' -r
complete -c watchdog -n "__fish_watchdog_using_subcommand probe; and __fish_seen_subcommand_from tcp" -l set -d 'Any option of the kind, dots between levels, e.g. `expect.latency.below=1s`; the guide lists them' -r
complete -c watchdog -n "__fish_watchdog_using_subcommand probe; and __fish_seen_subcommand_from tcp" -l timeout -d 'Give up after this long; covers name lookup, connection, TLS and answer' -r
complete -c watchdog -n "__fish_watchdog_using_subcommand probe; and __fish_seen_subcommand_from tcp" -l glyphs -d 'What bars are drawn with' -r -f -a "unicode\t''
ascii\t''"
complete -c watchdog -n "__fish_watchdog_using_subcommand probe; and __fish_seen_subcommand_from tcp" -s c -l config-dir -d 'Directory of the configuration [env: WATCHDOG_CONFIG_DIR] [default: . if it holds monitors.d, else ~/.config/watchdog, else /etc/watchdog]' -r -F
complete -c watchdog -n "__fish_watchdog_using_subcommand probe; and __fish_seen_subcommand_from tcp" -l data-dir -d 'Directory of the state [env: WATCHDOG_DATA_DIR] [default: ~/.local/state/watchdog; root: /var/lib/watchdog]' -r -F
complete -c watchdog -n "__fish_watchdog_using_subcommand probe; and __fish_seen_subcommand_from tcp" -l socket -d 'Unix socket of the server [env: WATCHDOG_SOCKET] [default: $XDG_RUNTIME_DIR/watchdog.sock, else in the data directory]' -r -F
complete -c watchdog -n "__fish_watchdog_using_subcommand probe; and __fish_seen_subcommand_from tcp" -l color -d 'When to use colours: auto, always or never' -r -f -a "auto\t'On a terminal, unless `NO_COLOR` is set'
always\t'Always'
never\t'Never'"
complete -c watchdog -n "__fish_watchdog_using_subcommand probe; and __fish_seen_subcommand_from tcp" -l tls -d 'Speak TLS'
complete -c watchdog -n "__fish_watchdog_using_subcommand probe; and __fish_seen_subcommand_from tcp" -l insecure -d 'Do not verify the certificate'
complete -c watchdog -n "__fish_watchdog_using_subcommand probe; and __fish_seen_subcommand_from tcp" -l nagios -d 'Behave as a Nagios plugin: one line with performance data, and Nagios\' exit codes'
complete -c watchdog -n "__fish_watchdog_using_subcommand probe; and __fish_seen_subcommand_from tcp" -l json -d 'Print JSON'
complete -c watchdog -n "__fish_watchdog_using_subcommand probe; and __fish_seen_subcommand_from tcp" -s h -l help -d 'Print help'
complete -c watchdog -n "__fish_watchdog_using_subcommand probe; and __fish_seen_subcommand_from udp" -l send -d 'Text to send' -r
complete -c watchdog -n "__fish_watchdog_using_subcommand probe; and __fish_seen_subcommand_from udp" -l send-line -d 'Text to send, with a line\'s end' -r
complete -c watchdog -n "__fish_watchdog_using_subcommand probe; and __fish_seen_subcommand_from udp" -l send-hex -d 'Bytes to send, in hexadecimal digits' -r
complete -c watchdog -n "__fish_watchdog_using_subcommand probe; and __fish_seen_subcommand_from udp" -l expect-contains -d 'Text that the answer must contain' -r
complete -c watchdog -n "__fish_watchdog_using_subcommand probe; and __fish_seen_subcommand_from udp" -l expect-matches -d 'Regular expression that the answer must match' -r
complete -c watchdog -n "__fish_watchdog_using_subcommand probe; and __fish_seen_subcommand_from udp" -l wait -d 'How long a refusal is waited for when no answer is expected' -r
complete -c watchdog -n "__fish_watchdog_using_subcommand probe; and __fish_seen_subcommand_from udp" -l ip-version -d '`4`, `6`, `prefer4` or `prefer6`' -r
complete -c watchdog -n "__fish_watchdog_using_subcommand probe; and __fish_seen_subcommand_from udp" -l resolver -d 'DNS server to ask instead of the system\'s resolver' -r
complete -c watchdog -n "__fish_watchdog_using_subcommand probe; and __fish_seen_subcommand_from udp" -l connect-to -d 'Address to dial, whatever the name says' -r
complete -c watchdog -n "__fish_watchdog_using_subcommand probe; and __fish_seen_subcommand_from udp" -l latency-below -d 'Down when the probe takes this long or longer' -r
complete -c watchdog -n "__fish_watchdog_using_subcommand probe; and __fish_seen_subcommand_from udp" -l degraded-above -d 'Degraded when it takes longer than this' -r
complete -c watchdog -n "__fish_watchdog_using_subcommand probe; and __fish_seen_subcommand_from udp" -l set -d 'Any option of the kind, dots between levels, e.g. `expect.latency.below=1s`; the guide lists them' -r
complete -c watchdog -n "__fish_watchdog_using_subcommand probe; and __fish_seen_subcommand_from udp" -l timeout -d 'Give up after this long; covers name lookup, connection, TLS and answer' -r
complete -c watchdog -n "__fish_watchdog_using_subcommand probe; and __fish_seen_subcommand_from udp" -l glyphs -d 'What bars are drawn with' -r -f -a "unicode\t''
ascii\t''"
complete -c watchdog -n "__fish_watchdog_using_subcommand probe; and __fish_seen_subcommand_from udp" -s c -l config-dir -d 'Directory of the configuration [env: WATCHDOG_CONFIG_DIR] [default: . if it holds monitors.d, else ~/.config/watchdog, else /etc/watchdog]' -r -F
complete -c watchdog -n "__fish_watchdog_using_subcommand probe; and __fish_seen_subcommand_from udp" -l data-dir -d 'Directory of the state [env: WATCHDOG_DATA_DIR] [default: ~/.local/state/watchdog; root: /var/lib/watchdog]' -r -F
complete -c watchdog -n "__fish_watchdog_using_subcommand probe; and __fish_seen_subcommand_from udp" -l socket -d 'Unix socket of the server [env: WATCHDOG_SOCKET] [default: $XDG_RUNTIME_DIR/watchdog.sock, else in the data directory]' -r -F
complete -c watchdog -n "__fish_watchdog_using_subcommand probe; and __fish_seen_subcommand_from udp" -l color -d 'When to use colours: auto, always or never' -r -f -a "auto\t'On a terminal, unless `NO_COLOR` is set'
always\t'Always'
never\t'Never'"
complete -c watchdog -n "__fish_watchdog_using_subcommand probe; and __fish_seen_subcommand_from udp" -l nagios -d 'Behave as a Nagios plugin: one line with performance data, and Nagios\' exit codes'
complete -c watchdog -n "__fish_watchdog_using_subcommand probe; and __fish_seen_subcommand_from udp" -l json -d 'Print JSON'
complete -c watchdog -n "__fish_watchdog_using_subcommand probe; and __fish_seen_subcommand_from udp" -s h -l help -d 'Print help'
complete -c watchdog -n "__fish_watchdog_using_subcommand probe; and __fish_seen_subcommand_from ping" -l count -d 'Requests to send' -r
complete -c watchdog -n "__fish_watchdog_using_subcommand probe; and __fish_seen_subcommand_from ping" -l spacing -d 'Time from one request to the next' -r
complete -c watchdog -n "__fish_watchdog_using_subcommand probe; and __fish_seen_subcommand_from ping" -l size -d 'Bytes of payload' -r
complete -c watchdog -n "__fish_watchdog_using_subcommand probe; and __fish_seen_subcommand_from ping" -l ttl -d 'Routers that a request may pass' -r
complete -c watchdog -n "__fish_watchdog_using_subcommand probe; and __fish_seen_subcommand_from ping" -l loss-below -d 'Down at this loss or more' -r
complete -c watchdog -n "__fish_watchdog_using_subcommand probe; and __fish_seen_subcommand_from ping" -l loss-degraded-above -d 'Degraded above this loss' -r
complete -c watchdog -n "__fish_watchdog_using_subcommand probe; and __fish_seen_subcommand_from ping" -l rtt-below -d 'Down when the mean round trip takes this long or longer' -r
complete -c watchdog -n "__fish_watchdog_using_subcommand probe; and __fish_seen_subcommand_from ping" -l rtt-degraded-above -d 'Degraded when it takes longer than this' -r
complete -c watchdog -n "__fish_watchdog_using_subcommand probe; and __fish_seen_subcommand_from ping" -l jitter-below -d 'Down at this jitter or more' -r
complete -c watchdog -n "__fish_watchdog_using_subcommand probe; and __fish_seen_subcommand_from ping" -l ip-version -d '`4`, `6`, `prefer4` or `prefer6`' -r
complete -c watchdog -n "__fish_watchdog_using_subcommand probe; and __fish_seen_subcommand_from ping" -l resolver -d 'DNS server to ask instead of the system\'s resolver' -r
complete -c watchdog -n "__fish_watchdog_using_subcommand probe; and __fish_seen_subcommand_from ping" -l connect-to -d 'Address to dial, whatever the name says' -r
complete -c watchdog -n "__fish_watchdog_using_subcommand probe; and __fish_seen_subcommand_from ping" -l set -d 'Any option of the kind, dots between levels, e.g. `expect.latency.below=1s`; the guide lists them' -r
complete -c watchdog -n "__fish_watchdog_using_subcommand probe; and __fish_seen_subcommand_from ping" -l timeout -d 'Give up after this long; covers name lookup, connection, TLS and answer' -r
complete -c watchdog -n "__fish_watchdog_using_subcommand probe; and __fish_seen_subcommand_from ping" -l glyphs -d 'What bars are drawn with' -r -f -a "unicode\t''
ascii\t''"
complete -c watchdog -n "__fish_watchdog_using_subcommand probe; and __fish_seen_subcommand_from ping" -s c -l config-dir -d 'Directory of the configuration [env: WATCHDOG_CONFIG_DIR] [default: . if it holds monitors.d, else ~/.config/watchdog, else /etc/watchdog]' -r -F
complete -c watchdog -n "__fish_watchdog_using_subcommand probe; and __fish_seen_subcommand_from ping" -l data-dir -d 'Directory of the state [env: WATCHDOG_DATA_DIR] [default: ~/.local/state/watchdog; root: /var/lib/watchdog]' -r -F
complete -c watchdog -n "__fish_watchdog_using_subcommand probe; and __fish_seen_subcommand_from ping" -l socket -d 'Unix socket of the server [env: WATCHDOG_SOCKET] [default: $XDG_RUNTIME_DIR/watchdog.sock, else in the data directory]' -r -F
complete -c watchdog -n "__fish_watchdog_using_subcommand probe; and __fish_seen_subcommand_from ping" -l color -d 'When to use colours: auto, always or never' -r -f -a "auto\t'On a terminal, unless `NO_COLOR` is set'
always\t'Always'
never\t'Never'"
complete -c watchdog -n "__fish_watchdog_using_subcommand probe; and __fish_seen_subcommand_from ping" -l dont-fragment -d 'No router may break a request up'
complete -c watchdog -n "__fish_watchdog_using_subcommand probe; and __fish_seen_subcommand_from ping" -l nagios -d 'Behave as a Nagios plugin: one line with performance data, and Nagios\' exit codes'
complete -c watchdog -n "__fish_watchdog_using_subcommand probe; and __fish_seen_subcommand_from ping" -l json -d 'Print JSON'
complete -c watchdog -n "__fish_watchdog_using_subcommand probe; and __fish_seen_subcommand_from ping" -s h -l help -d 'Print help'
complete -c watchdog -n "__fish_watchdog_using_subcommand probe; and __fish_seen_subcommand_from dns" -l query-type -d 'Type of the records, e.g. `MX`' -r
complete -c watchdog -n "__fish_watchdog_using_subcommand probe; and __fish_seen_subcommand_from dns" -l server -d 'Server to ask: `192.0.2.53`, `tcp://…`, `tls://…`, `https://…`' -r
complete -c watchdog -n "__fish_watchdog_using_subcommand probe; and __fish_seen_subcommand_from dns" -l expect-rcode -d 'Response codes that are good' -r
complete -c watchdog -n "__fish_watchdog_using_subcommand probe; and __fish_seen_subcommand_from dns" -l expect-answer-contains -d 'Text that a record of the answer must contain' -r
complete -c watchdog -n "__fish_watchdog_using_subcommand probe; and __fish_seen_subcommand_from dns" -l expect-answer-matches -d 'Regular expression that the answer must match' -r
complete -c watchdog -n "__fish_watchdog_using_subcommand probe; and __fish_seen_subcommand_from dns" -l server-name -d 'Name that the certificate must be for' -r
complete -c watchdog -n "__fish_watchdog_using_subcommand probe; and __fish_seen_subcommand_from dns" -l ca-file -d 'PEM file with the CA to trust instead of the system\'s' -r
complete -c watchdog -n "__fish_watchdog_using_subcommand probe; and __fish_seen_subcommand_from dns" -l client-cert -d 'PEM file with the client certificate to show' -r
complete -c watchdog -n "__fish_watchdog_using_subcommand probe; and __fish_seen_subcommand_from dns" -l client-key -d 'PEM file with its private key' -r
complete -c watchdog -n "__fish_watchdog_using_subcommand probe; and __fish_seen_subcommand_from dns" -l tls-min -d 'Lowest version of TLS that is offered, `1.2` or `1.3`' -r
complete -c watchdog -n "__fish_watchdog_using_subcommand probe; and __fish_seen_subcommand_from dns" -l tls-max -d 'Highest version of TLS that is offered' -r
complete -c watchdog -n "__fish_watchdog_using_subcommand probe; and __fish_seen_subcommand_from dns" -l ip-version -d '`4`, `6`, `prefer4` or `prefer6`' -r
complete -c watchdog -n "__fish_watchdog_using_subcommand probe; and __fish_seen_subcommand_from dns" -l resolver -d 'DNS server to ask instead of the system\'s resolver' -r
complete -c watchdog -n "__fish_watchdog_using_subcommand probe; and __fish_seen_subcommand_from dns" -l connect-to -d 'Address to dial, whatever the name says' -r
complete -c watchdog -n "__fish_watchdog_using_subcommand probe; and __fish_seen_subcommand_from dns" -l latency-below -d 'Down when the probe takes this long or longer' -r
complete -c watchdog -n "__fish_watchdog_using_subcommand probe; and __fish_seen_subcommand_from dns" -l degraded-above -d 'Degraded when it takes longer than this' -r
complete -c watchdog -n "__fish_watchdog_using_subcommand probe; and __fish_seen_subcommand_from dns" -l set -d 'Any option of the kind, dots between levels, e.g. `expect.latency.below=1s`; the guide lists them' -r
complete -c watchdog -n "__fish_watchdog_using_subcommand probe; and __fish_seen_subcommand_from dns" -l timeout -d 'Give up after this long; covers name lookup, connection, TLS and answer' -r
complete -c watchdog -n "__fish_watchdog_using_subcommand probe; and __fish_seen_subcommand_from dns" -l glyphs -d 'What bars are drawn with' -r -f -a "unicode\t''
ascii\t''"
complete -c watchdog -n "__fish_watchdog_using_subcommand probe; and __fish_seen_subcommand_from dns" -s c -l config-dir -d 'Directory of the configuration [env: WATCHDOG_CONFIG_DIR] [default: . if it holds monitors.d, else ~/.config/watchdog, else /etc/watchdog]' -r -F
complete -c watchdog -n "__fish_watchdog_using_subcommand probe; and __fish_seen_subcommand_from dns" -l data-dir -d 'Directory of the state [env: WATCHDOG_DATA_DIR] [default: ~/.local/state/watchdog; root: /var/lib/watchdog]' -r -F
complete -c watchdog -n "__fish_watchdog_using_subcommand probe; and __fish_seen_subcommand_from dns" -l socket -d 'Unix socket of the server [env: WATCHDOG_SOCKET] [default: $XDG_RUNTIME_DIR/watchdog.sock, else in the data directory]' -r -F
complete -c watchdog -n "__fish_watchdog_using_subcommand probe; and __fish_seen_subcommand_from dns" -l color -d 'When to use colours: auto, always or never' -r -f -a "auto\t'On a terminal, unless `NO_COLOR` is set'
always\t'Always'
never\t'Never'"
complete -c watchdog -n "__fish_watchdog_using_subcommand probe; and __fish_seen_subcommand_from dns" -l no-recursion -d 'Do not ask it to ask others'
complete -c watchdog -n "__fish_watchdog_using_subcommand probe; and __fish_seen_subcommand_from dns" -l dnssec -d 'Ask for signatures and for their verification'
complete -c watchdog -n "__fish_watchdog_using_subcommand probe; and __fish_seen_subcommand_from dns" -l soa-agree -d 'All servers must have the same serial number'
complete -c watchdog -n "__fish_watchdog_using_subcommand probe; and __fish_seen_subcommand_from dns" -l expect-authenticated -d 'The answer must be verified by DNSSEC (flag AD)'
complete -c watchdog -n "__fish_watchdog_using_subcommand probe; and __fish_seen_subcommand_from dns" -l insecure -d 'Do not verify the certificate'
complete -c watchdog -n "__fish_watchdog_using_subcommand probe; and __fish_seen_subcommand_from dns" -l nagios -d 'Behave as a Nagios plugin: one line with performance data, and Nagios\' exit codes'
complete -c watchdog -n "__fish_watchdog_using_subcommand probe; and __fish_seen_subcommand_from dns" -l json -d 'Print JSON'
complete -c watchdog -n "__fish_watchdog_using_subcommand probe; and __fish_seen_subcommand_from dns" -s h -l help -d 'Print help'
complete -c watchdog -n "__fish_watchdog_using_subcommand probe; and __fish_seen_subcommand_from unix" -l send -d 'Text to send' -r
complete -c watchdog -n "__fish_watchdog_using_subcommand probe; and __fish_seen_subcommand_from unix" -l send-line -d 'Text to send, with a line\'s end' -r
complete -c watchdog -n "__fish_watchdog_using_subcommand probe; and __fish_seen_subcommand_from unix" -l send-hex -d 'Bytes to send, in hexadecimal digits' -r
complete -c watchdog -n "__fish_watchdog_using_subcommand probe; and __fish_seen_subcommand_from unix" -l expect-contains -d 'Text that the answer must contain' -r
complete -c watchdog -n "__fish_watchdog_using_subcommand probe; and __fish_seen_subcommand_from unix" -l expect-matches -d 'Regular expression that the answer must match' -r
complete -c watchdog -n "__fish_watchdog_using_subcommand probe; and __fish_seen_subcommand_from unix" -l latency-below -d 'Down when the probe takes this long or longer' -r
complete -c watchdog -n "__fish_watchdog_using_subcommand probe; and __fish_seen_subcommand_from unix" -l degraded-above -d 'Degraded when it takes longer than this' -r
complete -c watchdog -n "__fish_watchdog_using_subcommand probe; and __fish_seen_subcommand_from unix" -l set -d 'Any option of the kind, dots between levels, e.g. `expect.latency.below=1s`; the guide lists them' -r
complete -c watchdog -n "__fish_watchdog_using_subcommand probe; and __fish_seen_subcommand_from unix" -l timeout -d 'Give up after this long; covers name lookup, connection, TLS and answer' -r
complete -c watchdog -n "__fish_watchdog_using_subcommand probe; and __fish_seen_subcommand_from unix" -l glyphs -d 'What bars are drawn with' -r -f -a "unicode\t''
ascii\t''"
complete -c watchdog -n "__fish_watchdog_using_subcommand probe; and __fish_seen_subcommand_from unix" -s c -l config-dir -d 'Directory of the configuration [env: WATCHDOG_CONFIG_DIR] [default: . if it holds monitors.d, else ~/.config/watchdog, else /etc/watchdog]' -r -F
complete -c watchdog -n "__fish_watchdog_using_subcommand probe; and __fish_seen_subcommand_from unix" -l data-dir -d 'Directory of the state [env: WATCHDOG_DATA_DIR] [default: ~/.local/state/watchdog; root: /var/lib/watchdog]' -r -F
complete -c watchdog -n "__fish_watchdog_using_subcommand probe; and __fish_seen_subcommand_from unix" -l socket -d 'Unix socket of the server [env: WATCHDOG_SOCKET] [default: $XDG_RUNTIME_DIR/watchdog.sock, else in the data directory]' -r -F
complete -c watchdog -n "__fish_watchdog_using_subcommand probe; and __fish_seen_subcommand_from unix" -l color -d 'When to use colours: auto, always or never' -r -f -a "auto\t'On a terminal, unless `NO_COLOR` is set'
always\t'Always'
never\t'Never'"
complete -c watchdog -n "__fish_watchdog_using_subcommand probe; and __fish_seen_subcommand_from unix" -l nagios -d 'Behave as a Nagios plugin: one line with performance data, and Nagios\' exit codes'
complete -c watchdog -n "__fish_watchdog_using_subcommand probe; and __fish_seen_subcommand_from unix" -l json -d 'Print JSON'
complete -c watchdog -n "__fish_watchdog_using_subcommand probe; and __fish_seen_subcommand_from unix" -s h -l help -d 'Print help'
complete -c watchdog -n "__fish_watchdog_using_subcommand probe; and __fish_seen_subcommand_from tls" -l starttls -d 'Protocol that begins in the open, e.g. `smtp`' -r
complete -c watchdog -n "__fish_watchdog_using_subcommand probe; and __fish_seen_subcommand_from tls" -l valid-for -d 'Least time for which the certificate must still be valid, e.g. `14d`' -r
complete -c watchdog -n "__fish_watchdog_using_subcommand probe; and __fish_seen_subcommand_from tls" -l name -d 'Name that the certificate must be for' -r
complete -c watchdog -n "__fish_watchdog_using_subcommand probe; and __fish_seen_subcommand_from tls" -l issuer -d 'Text in its issuer, or `/expression/`' -r
complete -c watchdog -n "__fish_watchdog_using_subcommand probe; and __fish_seen_subcommand_from tls" -l protocol -d 'Version that must be agreed on, `1.3`' -r
complete -c watchdog -n "__fish_watchdog_using_subcommand probe; and __fish_seen_subcommand_from tls" -l cipher -d 'Text in the cipher suite, or `/expression/`' -r
complete -c watchdog -n "__fish_watchdog_using_subcommand probe; and __fish_seen_subcommand_from tls" -l fingerprint -d 'Fingerprint that it must have' -r
complete -c watchdog -n "__fish_watchdog_using_subcommand probe; and __fish_seen_subcommand_from tls" -l chain -d 'The chain must be whole and in order' -r
complete -c watchdog -n "__fish_watchdog_using_subcommand probe; and __fish_seen_subcommand_from tls" -l ocsp -d 'A stapled OCSP response must be there' -r
complete -c watchdog -n "__fish_watchdog_using_subcommand probe; and __fish_seen_subcommand_from tls" -l server-name -d 'Name that the certificate must be for' -r
complete -c watchdog -n "__fish_watchdog_using_subcommand probe; and __fish_seen_subcommand_from tls" -l ca-file -d 'PEM file with the CA to trust instead of the system\'s' -r
complete -c watchdog -n "__fish_watchdog_using_subcommand probe; and __fish_seen_subcommand_from tls" -l client-cert -d 'PEM file with the client certificate to show' -r
complete -c watchdog -n "__fish_watchdog_using_subcommand probe; and __fish_seen_subcommand_from tls" -l client-key -d 'PEM file with its private key' -r
complete -c watchdog -n "__fish_watchdog_using_subcommand probe; and __fish_seen_subcommand_from tls" -l tls-min -d 'Lowest version of TLS that is offered, `1.2` or `1.3`' -r
complete -c watchdog -n "__fish_watchdog_using_subcommand probe; and __fish_seen_subcommand_from tls" -l tls-max -d 'Highest version of TLS that is offered' -r
complete -c watchdog -n "__fish_watchdog_using_subcommand probe; and __fish_seen_subcommand_from tls" -l ip-version -d '`4`, `6`, `prefer4` or `prefer6`' -r
complete -c watchdog -n "__fish_watchdog_using_subcommand probe; and __fish_seen_subcommand_from tls" -l resolver -d 'DNS server to ask instead of the system\'s resolver' -r
complete -c watchdog -n "__fish_watchdog_using_subcommand probe; and __fish_seen_subcommand_from tls" -l connect-to -d 'Address to dial, whatever the name says' -r
complete -c watchdog -n "__fish_watchdog_using_subcommand probe; and __fish_seen_subcommand_from tls" -l latency-below -d 'Down when the probe takes this long or longer' -r
complete -c watchdog -n "__fish_watchdog_using_subcommand probe; and __fish_seen_subcommand_from tls" -l degraded-above -d 'Degraded when it takes longer than this' -r
complete -c watchdog -n "__fish_watchdog_using_subcommand probe; and __fish_seen_subcommand_from tls" -l set -d 'Any option of the kind, dots between levels, e.g. `expect.latency.below=1s`; the guide lists them' -r
complete -c watchdog -n "__fish_watchdog_using_subcommand probe; and __fish_seen_subcommand_from tls" -l timeout -d 'Give up after this long; covers name lookup, connection, TLS and answer' -r
complete -c watchdog -n "__fish_watchdog_using_subcommand probe; and __fish_seen_subcommand_from tls" -l glyphs -d 'What bars are drawn with' -r -f -a "unicode\t''
ascii\t''"
complete -c watchdog -n "__fish_watchdog_using_subcommand probe; and __fish_seen_subcommand_from tls" -s c -l config-dir -d 'Directory of the configuration [env: WATCHDOG_CONFIG_DIR] [default: . if it holds monitors.d, else ~/.config/watchdog, else /etc/watchdog]' -r -F
complete -c watchdog -n "__fish_watchdog_using_subcommand probe; and __fish_seen_subcommand_from tls" -l data-dir -d 'Directory of the state [env: WATCHDOG_DATA_DIR] [default: ~/.local/state/watchdog; root: /var/lib/watchdog]' -r -F
complete -c watchdog -n "__fish_watchdog_using_subcommand probe; and __fish_seen_subcommand_from tls" -l socket -d 'Unix socket of the server [env: WATCHDOG_SOCKET] [default: $XDG_RUNTIME_DIR/watchdog.sock, else in the data directory]' -r -F
complete -c watchdog -n "__fish_watchdog_using_subcommand probe; and __fish_seen_subcommand_from tls" -l color -d 'When to use colours: auto, always or never' -r -f -a "auto\t'On a terminal, unless `NO_COLOR` is set'
always\t'Always'
never\t'Never'"
complete -c watchdog -n "__fish_watchdog_using_subcommand probe; and __fish_seen_subcommand_from tls" -l insecure -d 'Do not verify the certificate'
complete -c watchdog -n "__fish_watchdog_using_subcommand probe; and __fish_seen_subcommand_from tls" -l nagios -d 'Behave as a Nagios plugin: one line with performance data, and Nagios\' exit codes'
complete -c watchdog -n "__fish_watchdog_using_subcommand probe; and __fish_seen_subcommand_from tls" -l json -d 'Print JSON'
complete -c watchdog -n "__fish_watchdog_using_subcommand probe; and __fish_seen_subcommand_from tls" -s h -l help -d 'Print help'
complete -c watchdog -n "__fish_watchdog_using_subcommand probe; and __fish_seen_subcommand_from grpc" -l service -d 'Service to ask for; without it, the whole server' -r
complete -c watchdog -n "__fish_watchdog_using_subcommand probe; and __fish_seen_subcommand_from grpc" -l authority -d '`:authority` to send instead of the target' -r
complete -c watchdog -n "__fish_watchdog_using_subcommand probe; and __fish_seen_subcommand_from grpc" -l metadata -d 'Metadata to send, `name: value`' -r
complete -c watchdog -n "__fish_watchdog_using_subcommand probe; and __fish_seen_subcommand_from grpc" -l server-name -d 'Name that the certificate must be for' -r
complete -c watchdog -n "__fish_watchdog_using_subcommand probe; and __fish_seen_subcommand_from grpc" -l ca-file -d 'PEM file with the CA to trust instead of the system\'s' -r
complete -c watchdog -n "__fish_watchdog_using_subcommand probe; and __fish_seen_subcommand_from grpc" -l client-cert -d 'PEM file with the client certificate to show' -r
complete -c watchdog -n "__fish_watchdog_using_subcommand probe; and __fish_seen_subcommand_from grpc" -l client-key -d 'PEM file with its private key' -r
complete -c watchdog -n "__fish_watchdog_using_subcommand probe; and __fish_seen_subcommand_from grpc" -l tls-min -d 'Lowest version of TLS that is offered, `1.2` or `1.3`' -r
complete -c watchdog -n "__fish_watchdog_using_subcommand probe; and __fish_seen_subcommand_from grpc" -l tls-max -d 'Highest version of TLS that is offered' -r
complete -c watchdog -n "__fish_watchdog_using_subcommand probe; and __fish_seen_subcommand_from grpc" -l ip-version -d '`4`, `6`, `prefer4` or `prefer6`' -r
complete -c watchdog -n "__fish_watchdog_using_subcommand probe; and __fish_seen_subcommand_from grpc" -l resolver -d 'DNS server to ask instead of the system\'s resolver' -r
complete -c watchdog -n "__fish_watchdog_using_subcommand probe; and __fish_seen_subcommand_from grpc" -l connect-to -d 'Address to dial, whatever the name says' -r
complete -c watchdog -n "__fish_watchdog_using_subcommand probe; and __fish_seen_subcommand_from grpc" -l latency-below -d 'Down when the probe takes this long or longer' -r
complete -c watchdog -n "__fish_watchdog_using_subcommand probe; and __fish_seen_subcommand_from grpc" -l degraded-above -d 'Degraded when it takes longer than this' -r
complete -c watchdog -n "__fish_watchdog_using_subcommand probe; and __fish_seen_subcommand_from grpc" -l set -d 'Any option of the kind, dots between levels, e.g. `expect.latency.below=1s`; the guide lists them' -r
complete -c watchdog -n "__fish_watchdog_using_subcommand probe; and __fish_seen_subcommand_from grpc" -l timeout -d 'Give up after this long; covers name lookup, connection, TLS and answer' -r
complete -c watchdog -n "__fish_watchdog_using_subcommand probe; and __fish_seen_subcommand_from grpc" -l glyphs -d 'What bars are drawn with' -r -f -a "unicode\t''
ascii\t''"
complete -c watchdog -n "__fish_watchdog_using_subcommand probe; and __fish_seen_subcommand_from grpc" -s c -l config-dir -d 'Directory of the configuration [env: WATCHDOG_CONFIG_DIR] [default: . if it holds monitors.d, else ~/.config/watchdog, else /etc/watchdog]' -r -F
complete -c watchdog -n "__fish_watchdog_using_subcommand probe; and __fish_seen_subcommand_from grpc" -l data-dir -d 'Directory of the state [env: WATCHDOG_DATA_DIR] [default: ~/.local/state/watchdog; root: /var/lib/watchdog]' -r -F
complete -c watchdog -n "__fish_watchdog_using_subcommand probe; and __fish_seen_subcommand_from grpc" -l socket -d 'Unix socket of the server [env: WATCHDOG_SOCKET] [default: $XDG_RUNTIME_DIR/watchdog.sock, else in the data directory]' -r -F
complete -c watchdog -n "__fish_watchdog_using_subcommand probe; and __fish_seen_subcommand_from grpc" -l color -d 'When to use colours: auto, always or never' -r -f -a "auto\t'On a terminal, unless `NO_COLOR` is set'
always\t'Always'
never\t'Never'"
complete -c watchdog -n "__fish_watchdog_using_subcommand probe; and __fish_seen_subcommand_from grpc" -l tls -d 'Speak TLS'
complete -c watchdog -n "__fish_watchdog_using_subcommand probe; and __fish_seen_subcommand_from grpc" -l insecure -d 'Do not verify the certificate'
complete -c watchdog -n "__fish_watchdog_using_subcommand probe; and __fish_seen_subcommand_from grpc" -l nagios -d 'Behave as a Nagios plugin: one line with performance data, and Nagios\' exit codes'
complete -c watchdog -n "__fish_watchdog_using_subcommand probe; and __fish_seen_subcommand_from grpc" -l json -d 'Print JSON'
complete -c watchdog -n "__fish_watchdog_using_subcommand probe; and __fish_seen_subcommand_from grpc" -s h -l help -d 'Print help'
complete -c watchdog -n "__fish_watchdog_using_subcommand probe; and __fish_seen_subcommand_from websocket" -l header -d 'Request header, `Name: value`' -r
complete -c watchdog -n "__fish_watchdog_using_subcommand probe; and __fish_seen_subcommand_from websocket" -l subprotocol -d 'Subprotocol to offer; one must be chosen' -r
complete -c watchdog -n "__fish_watchdog_using_subcommand probe; and __fish_seen_subcommand_from websocket" -l send -d 'Text to send' -r
complete -c watchdog -n "__fish_watchdog_using_subcommand probe; and __fish_seen_subcommand_from websocket" -l send-line -d 'Text to send, with a line\'s end' -r
complete -c watchdog -n "__fish_watchdog_using_subcommand probe; and __fish_seen_subcommand_from websocket" -l send-hex -d 'Bytes to send, in hexadecimal digits' -r
complete -c watchdog -n "__fish_watchdog_using_subcommand probe; and __fish_seen_subcommand_from websocket" -l expect-contains -d 'Text that the answer must contain' -r
complete -c watchdog -n "__fish_watchdog_using_subcommand probe; and __fish_seen_subcommand_from websocket" -l expect-matches -d 'Regular expression that the answer must match' -r
complete -c watchdog -n "__fish_watchdog_using_subcommand probe; and __fish_seen_subcommand_from websocket" -l server-name -d 'Name that the certificate must be for' -r
complete -c watchdog -n "__fish_watchdog_using_subcommand probe; and __fish_seen_subcommand_from websocket" -l ca-file -d 'PEM file with the CA to trust instead of the system\'s' -r
complete -c watchdog -n "__fish_watchdog_using_subcommand probe; and __fish_seen_subcommand_from websocket" -l client-cert -d 'PEM file with the client certificate to show' -r
complete -c watchdog -n "__fish_watchdog_using_subcommand probe; and __fish_seen_subcommand_from websocket" -l client-key -d 'PEM file with its private key' -r
complete -c watchdog -n "__fish_watchdog_using_subcommand probe; and __fish_seen_subcommand_from websocket" -l tls-min -d 'Lowest version of TLS that is offered, `1.2` or `1.3`' -r
complete -c watchdog -n "__fish_watchdog_using_subcommand probe; and __fish_seen_subcommand_from websocket" -l tls-max -d 'Highest version of TLS that is offered' -r
complete -c watchdog -n "__fish_watchdog_using_subcommand probe; and __fish_seen_subcommand_from websocket" -l ip-version -d '`4`, `6`, `prefer4` or `prefer6`' -r
complete -c watchdog -n "__fish_watchdog_using_subcommand probe; and __fish_seen_subcommand_from websocket" -l resolver -d 'DNS server to ask instead of the system\'s resolver' -r
complete -c watchdog -n "__fish_watchdog_using_subcommand probe; and __fish_seen_subcommand_from websocket" -l connect-to -d 'Address to dial, whatever the name says' -r
complete -c watchdog -n "__fish_watchdog_using_subcommand probe; and __fish_seen_subcommand_from websocket" -l latency-below -d 'Down when the probe takes this long or longer' -r
complete -c watchdog -n "__fish_watchdog_using_subcommand probe; and __fish_seen_subcommand_from websocket" -l degraded-above -d 'Degraded when it takes longer than this' -r
complete -c watchdog -n "__fish_watchdog_using_subcommand probe; and __fish_seen_subcommand_from websocket" -l set -d 'Any option of the kind, dots between levels, e.g. `expect.latency.below=1s`; the guide lists them' -r
complete -c watchdog -n "__fish_watchdog_using_subcommand probe; and __fish_seen_subcommand_from websocket" -l timeout -d 'Give up after this long; covers name lookup, connection, TLS and answer' -r
complete -c watchdog -n "__fish_watchdog_using_subcommand probe; and __fish_seen_subcommand_from websocket" -l glyphs -d 'What bars are drawn with' -r -f -a "unicode\t''
ascii\t''"
complete -c watchdog -n "__fish_watchdog_using_subcommand probe; and __fish_seen_subcommand_from websocket" -s c -l config-dir -d 'Directory of the configuration [env: WATCHDOG_CONFIG_DIR] [default: . if it holds monitors.d, else ~/.config/watchdog, else /etc/watchdog]' -r -F
complete -c watchdog -n "__fish_watchdog_using_subcommand probe; and __fish_seen_subcommand_from websocket" -l data-dir -d 'Directory of the state [env: WATCHDOG_DATA_DIR] [default: ~/.local/state/watchdog; root: /var/lib/watchdog]' -r -F
complete -c watchdog -n "__fish_watchdog_using_subcommand probe; and __fish_seen_subcommand_from websocket" -l socket -d 'Unix socket of the server [env: WATCHDOG_SOCKET] [default: $XDG_RUNTIME_DIR/watchdog.sock, else in the data directory]' -r -F
complete -c watchdog -n "__fish_watchdog_using_subcommand probe; and __fish_seen_subcommand_from websocket" -l color -d 'When to use colours: auto, always or never' -r -f -a "auto\t'On a terminal, unless `NO_COLOR` is set'
always\t'Always'
never\t'Never'"
complete -c watchdog -n "__fish_watchdog_using_subcommand probe; and __fish_seen_subcommand_from websocket" -l no-ping -d 'Send no ping'
complete -c watchdog -n "__fish_watchdog_using_subcommand probe; and __fish_seen_subcommand_from websocket" -l insecure -d 'Do not verify the certificate'
complete -c watchdog -n "__fish_watchdog_using_subcommand probe; and __fish_seen_subcommand_from websocket" -l nagios -d 'Behave as a Nagios plugin: one line with performance data, and Nagios\' exit codes'
complete -c watchdog -n "__fish_watchdog_using_subcommand probe; and __fish_seen_subcommand_from websocket" -l json -d 'Print JSON'
complete -c watchdog -n "__fish_watchdog_using_subcommand probe; and __fish_seen_subcommand_from websocket" -s h -l help -d 'Print help'
complete -c watchdog -n "__fish_watchdog_using_subcommand probe; and __fish_seen_subcommand_from smtp" -l hello -d 'Name to greet with' -r
complete -c watchdog -n "__fish_watchdog_using_subcommand probe; and __fish_seen_subcommand_from smtp" -l from -d 'Sender of a mail that is announced, not sent' -r
complete -c watchdog -n "__fish_watchdog_using_subcommand probe; and __fish_seen_subcommand_from smtp" -l to -d 'Recipient that the server must accept' -r
complete -c watchdog -n "__fish_watchdog_using_subcommand probe; and __fish_seen_subcommand_from smtp" -l expect-extension -d 'Extension that must be offered' -r
complete -c watchdog -n "__fish_watchdog_using_subcommand probe; and __fish_seen_subcommand_from smtp" -l user -d 'Name to log in with' -r
complete -c watchdog -n "__fish_watchdog_using_subcommand probe; and __fish_seen_subcommand_from smtp" -l password -d 'Password; `${env:NAME}` keeps it out of the history' -r
complete -c watchdog -n "__fish_watchdog_using_subcommand probe; and __fish_seen_subcommand_from smtp" -l server-name -d 'Name that the certificate must be for' -r
complete -c watchdog -n "__fish_watchdog_using_subcommand probe; and __fish_seen_subcommand_from smtp" -l ca-file -d 'PEM file with the CA to trust instead of the system\'s' -r
complete -c watchdog -n "__fish_watchdog_using_subcommand probe; and __fish_seen_subcommand_from smtp" -l client-cert -d 'PEM file with the client certificate to show' -r
complete -c watchdog -n "__fish_watchdog_using_subcommand probe; and __fish_seen_subcommand_from smtp" -l client-key -d 'PEM file with its private key' -r
complete -c watchdog -n "__fish_watchdog_using_subcommand probe; and __fish_seen_subcommand_from smtp" -l tls-min -d 'Lowest version of TLS that is offered, `1.2` or `1.3`' -r
complete -c watchdog -n "__fish_watchdog_using_subcommand probe; and __fish_seen_subcommand_from smtp" -l tls-max -d 'Highest version of TLS that is offered' -r
complete -c watchdog -n "__fish_watchdog_using_subcommand probe; and __fish_seen_subcommand_from smtp" -l ip-version -d '`4`, `6`, `prefer4` or `prefer6`' -r
complete -c watchdog -n "__fish_watchdog_using_subcommand probe; and __fish_seen_subcommand_from smtp" -l resolver -d 'DNS server to ask instead of the system\'s resolver' -r
complete -c watchdog -n "__fish_watchdog_using_subcommand probe; and __fish_seen_subcommand_from smtp" -l connect-to -d 'Address to dial, whatever the name says' -r
complete -c watchdog -n "__fish_watchdog_using_subcommand probe; and __fish_seen_subcommand_from smtp" -l latency-below -d 'Down when the probe takes this long or longer' -r
complete -c watchdog -n "__fish_watchdog_using_subcommand probe; and __fish_seen_subcommand_from smtp" -l degraded-above -d 'Degraded when it takes longer than this' -r
complete -c watchdog -n "__fish_watchdog_using_subcommand probe; and __fish_seen_subcommand_from smtp" -l set -d 'Any option of the kind, dots between levels, e.g. `expect.latency.below=1s`; the guide lists them' -r
complete -c watchdog -n "__fish_watchdog_using_subcommand probe; and __fish_seen_subcommand_from smtp" -l timeout -d 'Give up after this long; covers name lookup, connection, TLS and answer' -r
complete -c watchdog -n "__fish_watchdog_using_subcommand probe; and __fish_seen_subcommand_from smtp" -l glyphs -d 'What bars are drawn with' -r -f -a "unicode\t''
ascii\t''"
complete -c watchdog -n "__fish_watchdog_using_subcommand probe; and __fish_seen_subcommand_from smtp" -s c -l config-dir -d 'Directory of the configuration [env: WATCHDOG_CONFIG_DIR] [default: . if it holds monitors.d, else ~/.config/watchdog, else /etc/watchdog]' -r -F
complete -c watchdog -n "__fish_watchdog_using_subcommand probe; and __fish_seen_subcommand_from smtp" -l data-dir -d 'Directory of the state [env: WATCHDOG_DATA_DIR] [default: ~/.local/state/watchdog; root: /var/lib/watchdog]' -r -F
complete -c watchdog -n "__fish_watchdog_using_subcommand probe; and __fish_seen_subcommand_from smtp" -l socket -d 'Unix socket of the server [env: WATCHDOG_SOCKET] [default: $XDG_RUNTIME_DIR/watchdog.sock, else in the data directory]' -r -F
complete -c watchdog -n "__fish_watchdog_using_subcommand probe; and __fish_seen_subcommand_from smtp" -l color -d 'When to use colours: auto, always or never' -r -f -a "auto\t'On a terminal, unless `NO_COLOR` is set'
always\t'Always'
never\t'Never'"
complete -c watchdog -n "__fish_watchdog_using_subcommand probe; and __fish_seen_subcommand_from smtp" -l starttls -d 'Encrypt with STARTTLS'
complete -c watchdog -n "__fish_watchdog_using_subcommand probe; and __fish_seen_subcommand_from smtp" -l open-login -d 'Let the password go over a connection that is not encrypted'
complete -c watchdog -n "__fish_watchdog_using_subcommand probe; and __fish_seen_subcommand_from smtp" -l tls -d 'Speak TLS'
complete -c watchdog -n "__fish_watchdog_using_subcommand probe; and __fish_seen_subcommand_from smtp" -l insecure -d 'Do not verify the certificate'
complete -c watchdog -n "__fish_watchdog_using_subcommand probe; and __fish_seen_subcommand_from smtp" -l nagios -d 'Behave as a Nagios plugin: one line with performance data, and Nagios\' exit codes'
complete -c watchdog -n "__fish_watchdog_using_subcommand probe; and __fish_seen_subcommand_from smtp" -l json -d 'Print JSON'
complete -c watchdog -n "__fish_watchdog_using_subcommand probe; and __fish_seen_subcommand_from smtp" -s h -l help -d 'Print help'
complete -c watchdog -n "__fish_watchdog_using_subcommand probe; and __fish_seen_subcommand_from imap" -l mailbox -d 'Mailbox to look into, `INBOX` unless said otherwise' -r
complete -c watchdog -n "__fish_watchdog_using_subcommand probe; and __fish_seen_subcommand_from imap" -l messages-at-least -d 'Fewest messages in it' -r
complete -c watchdog -n "__fish_watchdog_using_subcommand probe; and __fish_seen_subcommand_from imap" -l messages-at-most -d 'Most messages in it' -r
complete -c watchdog -n "__fish_watchdog_using_subcommand probe; and __fish_seen_subcommand_from imap" -l newest-below -d 'Greatest age of the newest' -r
complete -c watchdog -n "__fish_watchdog_using_subcommand probe; and __fish_seen_subcommand_from imap" -l user -d 'Name to log in with' -r
complete -c watchdog -n "__fish_watchdog_using_subcommand probe; and __fish_seen_subcommand_from imap" -l password -d 'Password; `${env:NAME}` keeps it out of the history' -r
complete -c watchdog -n "__fish_watchdog_using_subcommand probe; and __fish_seen_subcommand_from imap" -l server-name -d 'Name that the certificate must be for' -r
complete -c watchdog -n "__fish_watchdog_using_subcommand probe; and __fish_seen_subcommand_from imap" -l ca-file -d 'PEM file with the CA to trust instead of the system\'s' -r
complete -c watchdog -n "__fish_watchdog_using_subcommand probe; and __fish_seen_subcommand_from imap" -l client-cert -d 'PEM file with the client certificate to show' -r
complete -c watchdog -n "__fish_watchdog_using_subcommand probe; and __fish_seen_subcommand_from imap" -l client-key -d 'PEM file with its private key' -r
complete -c watchdog -n "__fish_watchdog_using_subcommand probe; and __fish_seen_subcommand_from imap" -l tls-min -d 'Lowest version of TLS that is offered, `1.2` or `1.3`' -r
complete -c watchdog -n "__fish_watchdog_using_subcommand probe; and __fish_seen_subcommand_from imap" -l tls-max -d 'Highest version of TLS that is offered' -r
complete -c watchdog -n "__fish_watchdog_using_subcommand probe; and __fish_seen_subcommand_from imap" -l ip-version -d '`4`, `6`, `prefer4` or `prefer6`' -r
complete -c watchdog -n "__fish_watchdog_using_subcommand probe; and __fish_seen_subcommand_from imap" -l resolver -d 'DNS server to ask instead of the system\'s resolver' -r
complete -c watchdog -n "__fish_watchdog_using_subcommand probe; and __fish_seen_subcommand_from imap" -l connect-to -d 'Address to dial, whatever the name says' -r
complete -c watchdog -n "__fish_watchdog_using_subcommand probe; and __fish_seen_subcommand_from imap" -l latency-below -d 'Down when the probe takes this long or longer' -r
complete -c watchdog -n "__fish_watchdog_using_subcommand probe; and __fish_seen_subcommand_from imap" -l degraded-above -d 'Degraded when it takes longer than this' -r
complete -c watchdog -n "__fish_watchdog_using_subcommand probe; and __fish_seen_subcommand_from imap" -l set -d 'Any option of the kind, dots between levels, e.g. `expect.latency.below=1s`; the guide lists them' -r
complete -c watchdog -n "__fish_watchdog_using_subcommand probe; and __fish_seen_subcommand_from imap" -l timeout -d 'Give up after this long; covers name lookup, connection, TLS and answer' -r
complete -c watchdog -n "__fish_watchdog_using_subcommand probe; and __fish_seen_subcommand_from imap" -l glyphs -d 'What bars are drawn with' -r -f -a "unicode\t''
ascii\t''"
complete -c watchdog -n "__fish_watchdog_using_subcommand probe; and __fish_seen_subcommand_from imap" -s c -l config-dir -d 'Directory of the configuration [env: WATCHDOG_CONFIG_DIR] [default: . if it holds monitors.d, else ~/.config/watchdog, else /etc/watchdog]' -r -F
complete -c watchdog -n "__fish_watchdog_using_subcommand probe; and __fish_seen_subcommand_from imap" -l data-dir -d 'Directory of the state [env: WATCHDOG_DATA_DIR] [default: ~/.local/state/watchdog; root: /var/lib/watchdog]' -r -F
complete -c watchdog -n "__fish_watchdog_using_subcommand probe; and __fish_seen_subcommand_from imap" -l socket -d 'Unix socket of the server [env: WATCHDOG_SOCKET] [default: $XDG_RUNTIME_DIR/watchdog.sock, else in the data directory]' -r -F
complete -c watchdog -n "__fish_watchdog_using_subcommand probe; and __fish_seen_subcommand_from imap" -l color -d 'When to use colours: auto, always or never' -r -f -a "auto\t'On a terminal, unless `NO_COLOR` is set'
always\t'Always'
never\t'Never'"
complete -c watchdog -n "__fish_watchdog_using_subcommand probe; and __fish_seen_subcommand_from imap" -l starttls -d 'Encrypt with STARTTLS'
complete -c watchdog -n "__fish_watchdog_using_subcommand probe; and __fish_seen_subcommand_from imap" -l open-login -d 'Let the password go over a connection that is not encrypted'
complete -c watchdog -n "__fish_watchdog_using_subcommand probe; and __fish_seen_subcommand_from imap" -l tls -d 'Speak TLS'
complete -c watchdog -n "__fish_watchdog_using_subcommand probe; and __fish_seen_subcommand_from imap" -l insecure -d 'Do not verify the certificate'
complete -c watchdog -n "__fish_watchdog_using_subcommand probe; and __fish_seen_subcommand_from imap" -l nagios -d 'Behave as a Nagios plugin: one line with performance data, and Nagios\' exit codes'
complete -c watchdog -n "__fish_watchdog_using_subcommand probe; and __fish_seen_subcommand_from imap" -l json -d 'Print JSON'
complete -c watchdog -n "__fish_watchdog_using_subcommand probe; and __fish_seen_subcommand_from imap" -s h -l help -d 'Print help'
complete -c watchdog -n "__fish_watchdog_using_subcommand probe; and __fish_seen_subcommand_from ssh" -l fingerprint -d 'Host key that the server must have' -r
complete -c watchdog -n "__fish_watchdog_using_subcommand probe; and __fish_seen_subcommand_from ssh" -l key-file -d 'Private key to log in with' -r
complete -c watchdog -n "__fish_watchdog_using_subcommand probe; and __fish_seen_subcommand_from ssh" -l command -d 'Command to run after the login' -r
complete -c watchdog -n "__fish_watchdog_using_subcommand probe; and __fish_seen_subcommand_from ssh" -l expect-contains -d 'Text that its output must contain' -r
complete -c watchdog -n "__fish_watchdog_using_subcommand probe; and __fish_seen_subcommand_from ssh" -l expect-matches -d 'Expression that it must match' -r
complete -c watchdog -n "__fish_watchdog_using_subcommand probe; and __fish_seen_subcommand_from ssh" -l expect-exit -d 'Its exit code, 0 unless said otherwise' -r
complete -c watchdog -n "__fish_watchdog_using_subcommand probe; and __fish_seen_subcommand_from ssh" -l user -d 'Name to log in with' -r
complete -c watchdog -n "__fish_watchdog_using_subcommand probe; and __fish_seen_subcommand_from ssh" -l password -d 'Password; `${env:NAME}` keeps it out of the history' -r
complete -c watchdog -n "__fish_watchdog_using_subcommand probe; and __fish_seen_subcommand_from ssh" -l ip-version -d '`4`, `6`, `prefer4` or `prefer6`' -r
complete -c watchdog -n "__fish_watchdog_using_subcommand probe; and __fish_seen_subcommand_from ssh" -l resolver -d 'DNS server to ask instead of the system\'s resolver' -r
complete -c watchdog -n "__fish_watchdog_using_subcommand probe; and __fish_seen_subcommand_from ssh" -l connect-to -d 'Address to dial, whatever the name says' -r
complete -c watchdog -n "__fish_watchdog_using_subcommand probe; and __fish_seen_subcommand_from ssh" -l latency-below -d 'Down when the probe takes this long or longer' -r
complete -c watchdog -n "__fish_watchdog_using_subcommand probe; and __fish_seen_subcommand_from ssh" -l degraded-above -d 'Degraded when it takes longer than this' -r
complete -c watchdog -n "__fish_watchdog_using_subcommand probe; and __fish_seen_subcommand_from ssh" -l set -d 'Any option of the kind, dots between levels, e.g. `expect.latency.below=1s`; the guide lists them' -r
complete -c watchdog -n "__fish_watchdog_using_subcommand probe; and __fish_seen_subcommand_from ssh" -l timeout -d 'Give up after this long; covers name lookup, connection, TLS and answer' -r
complete -c watchdog -n "__fish_watchdog_using_subcommand probe; and __fish_seen_subcommand_from ssh" -l glyphs -d 'What bars are drawn with' -r -f -a "unicode\t''
ascii\t''"
complete -c watchdog -n "__fish_watchdog_using_subcommand probe; and __fish_seen_subcommand_from ssh" -s c -l config-dir -d 'Directory of the configuration [env: WATCHDOG_CONFIG_DIR] [default: . if it holds monitors.d, else ~/.config/watchdog, else /etc/watchdog]' -r -F
complete -c watchdog -n "__fish_watchdog_using_subcommand probe; and __fish_seen_subcommand_from ssh" -l data-dir -d 'Directory of the state [env: WATCHDOG_DATA_DIR] [default: ~/.local/state/watchdog; root: /var/lib/watchdog]' -r -F
complete -c watchdog -n "__fish_watchdog_using_subcommand probe; and __fish_seen_subcommand_from ssh" -l socket -d 'Unix socket of the server [env: WATCHDOG_SOCKET] [default: $XDG_RUNTIME_DIR/watchdog.sock, else in the data directory]' -r -F
complete -c watchdog -n "__fish_watchdog_using_subcommand probe; and __fish_seen_subcommand_from ssh" -l color -d 'When to use colours: auto, always or never' -r -f -a "auto\t'On a terminal, unless `NO_COLOR` is set'
always\t'Always'
never\t'Never'"
complete -c watchdog -n "__fish_watchdog_using_subcommand probe; and __fish_seen_subcommand_from ssh" -l nagios -d 'Behave as a Nagios plugin: one line with performance data, and Nagios\' exit codes'
complete -c watchdog -n "__fish_watchdog_using_subcommand probe; and __fish_seen_subcommand_from ssh" -l json -d 'Print JSON'
complete -c watchdog -n "__fish_watchdog_using_subcommand probe; and __fish_seen_subcommand_from ssh" -s h -l help -d 'Print help'
complete -c watchdog -n "__fish_watchdog_using_subcommand probe; and __fish_seen_subcommand_from ntp" -l offset-below -d 'Most that the clocks may differ' -r
complete -c watchdog -n "__fish_watchdog_using_subcommand probe; and __fish_seen_subcommand_from ntp" -l stratum -d 'Highest stratum that will do' -r
complete -c watchdog -n "__fish_watchdog_using_subcommand probe; and __fish_seen_subcommand_from ntp" -l dispersion-below -d 'Most that the server may be unsure of its time' -r
complete -c watchdog -n "__fish_watchdog_using_subcommand probe; and __fish_seen_subcommand_from ntp" -l reference-below -d 'Longest time since its clock was set' -r
complete -c watchdog -n "__fish_watchdog_using_subcommand probe; and __fish_seen_subcommand_from ntp" -l ip-version -d '`4`, `6`, `prefer4` or `prefer6`' -r
complete -c watchdog -n "__fish_watchdog_using_subcommand probe; and __fish_seen_subcommand_from ntp" -l resolver -d 'DNS server to ask instead of the system\'s resolver' -r
complete -c watchdog -n "__fish_watchdog_using_subcommand probe; and __fish_seen_subcommand_from ntp" -l connect-to -d 'Address to dial, whatever the name says' -r
complete -c watchdog -n "__fish_watchdog_using_subcommand probe; and __fish_seen_subcommand_from ntp" -l latency-below -d 'Down when the probe takes this long or longer' -r
complete -c watchdog -n "__fish_watchdog_using_subcommand probe; and __fish_seen_subcommand_from ntp" -l degraded-above -d 'Degraded when it takes longer than this' -r
complete -c watchdog -n "__fish_watchdog_using_subcommand probe; and __fish_seen_subcommand_from ntp" -l set -d 'Any option of the kind, dots between levels, e.g. `expect.latency.below=1s`; the guide lists them' -r
complete -c watchdog -n "__fish_watchdog_using_subcommand probe; and __fish_seen_subcommand_from ntp" -l timeout -d 'Give up after this long; covers name lookup, connection, TLS and answer' -r
complete -c watchdog -n "__fish_watchdog_using_subcommand probe; and __fish_seen_subcommand_from ntp" -l glyphs -d 'What bars are drawn with' -r -f -a "unicode\t''
ascii\t''"
complete -c watchdog -n "__fish_watchdog_using_subcommand probe; and __fish_seen_subcommand_from ntp" -s c -l config-dir -d 'Directory of the configuration [env: WATCHDOG_CONFIG_DIR] [default: . if it holds monitors.d, else ~/.config/watchdog, else /etc/watchdog]' -r -F
complete -c watchdog -n "__fish_watchdog_using_subcommand probe; and __fish_seen_subcommand_from ntp" -l data-dir -d 'Directory of the state [env: WATCHDOG_DATA_DIR] [default: ~/.local/state/watchdog; root: /var/lib/watchdog]' -r -F
complete -c watchdog -n "__fish_watchdog_using_subcommand probe; and __fish_seen_subcommand_from ntp" -l socket -d 'Unix socket of the server [env: WATCHDOG_SOCKET] [default: $XDG_RUNTIME_DIR/watchdog.sock, else in the data directory]' -r -F
complete -c watchdog -n "__fish_watchdog_using_subcommand probe; and __fish_seen_subcommand_from ntp" -l color -d 'When to use colours: auto, always or never' -r -f -a "auto\t'On a terminal, unless `NO_COLOR` is set'
always\t'Always'
never\t'Never'"
complete -c watchdog -n "__fish_watchdog_using_subcommand probe; and __fish_seen_subcommand_from ntp" -l nagios -d 'Behave as a Nagios plugin: one line with performance data, and Nagios\' exit codes'
complete -c watchdog -n "__fish_watchdog_using_subcommand probe; and __fish_seen_subcommand_from ntp" -l json -d 'Print JSON'
complete -c watchdog -n "__fish_watchdog_using_subcommand probe; and __fish_seen_subcommand_from ntp" -s h -l help -d 'Print help'
complete -c watchdog -n "__fish_watchdog_using_subcommand probe; and __fish_seen_subcommand_from redis" -l user -d 'Name to log in with' -r
complete -c watchdog -n "__fish_watchdog_using_subcommand probe; and __fish_seen_subcommand_from redis" -l password -d 'Password; `${env:NAME}` keeps it out of the history' -r
complete -c watchdog -n "__fish_watchdog_using_subcommand probe; and __fish_seen_subcommand_from redis" -l role -d '`primary` or `replica`' -r
complete -c watchdog -n "__fish_watchdog_using_subcommand probe; and __fish_seen_subcommand_from redis" -l database -d 'Database to select' -r
complete -c watchdog -n "__fish_watchdog_using_subcommand probe; and __fish_seen_subcommand_from redis" -l command -d 'Command whose answer is judged, word by word' -r
complete -c watchdog -n "__fish_watchdog_using_subcommand probe; and __fish_seen_subcommand_from redis" -l replicas -d 'Replicas that must be connected at least' -r
complete -c watchdog -n "__fish_watchdog_using_subcommand probe; and __fish_seen_subcommand_from redis" -l expect-value -d 'Value that the answer must be' -r
complete -c watchdog -n "__fish_watchdog_using_subcommand probe; and __fish_seen_subcommand_from redis" -l expect-contains -d 'Text that it must contain' -r
complete -c watchdog -n "__fish_watchdog_using_subcommand probe; and __fish_seen_subcommand_from redis" -l expect-matches -d 'Expression that it must match' -r
complete -c watchdog -n "__fish_watchdog_using_subcommand probe; and __fish_seen_subcommand_from redis" -l expect-above -d 'Number that it must be above' -r
complete -c watchdog -n "__fish_watchdog_using_subcommand probe; and __fish_seen_subcommand_from redis" -l expect-below -d 'Number that it must be below' -r
complete -c watchdog -n "__fish_watchdog_using_subcommand probe; and __fish_seen_subcommand_from redis" -l server-name -d 'Name that the certificate must be for' -r
complete -c watchdog -n "__fish_watchdog_using_subcommand probe; and __fish_seen_subcommand_from redis" -l ca-file -d 'PEM file with the CA to trust instead of the system\'s' -r
complete -c watchdog -n "__fish_watchdog_using_subcommand probe; and __fish_seen_subcommand_from redis" -l client-cert -d 'PEM file with the client certificate to show' -r
complete -c watchdog -n "__fish_watchdog_using_subcommand probe; and __fish_seen_subcommand_from redis" -l client-key -d 'PEM file with its private key' -r
complete -c watchdog -n "__fish_watchdog_using_subcommand probe; and __fish_seen_subcommand_from redis" -l tls-min -d 'Lowest version of TLS that is offered, `1.2` or `1.3`' -r
complete -c watchdog -n "__fish_watchdog_using_subcommand probe; and __fish_seen_subcommand_from redis" -l tls-max -d 'Highest version of TLS that is offered' -r
complete -c watchdog -n "__fish_watchdog_using_subcommand probe; and __fish_seen_subcommand_from redis" -l ip-version -d '`4`, `6`, `prefer4` or `prefer6`' -r
complete -c watchdog -n "__fish_watchdog_using_subcommand probe; and __fish_seen_subcommand_from redis" -l resolver -d 'DNS server to ask instead of the system\'s resolver' -r
complete -c watchdog -n "__fish_watchdog_using_subcommand probe; and __fish_seen_subcommand_from redis" -l connect-to -d 'Address to dial, whatever the name says' -r
complete -c watchdog -n "__fish_watchdog_using_subcommand probe; and __fish_seen_subcommand_from redis" -l latency-below -d 'Down when the probe takes this long or longer' -r
complete -c watchdog -n "__fish_watchdog_using_subcommand probe; and __fish_seen_subcommand_from redis" -l degraded-above -d 'Degraded when it takes longer than this' -r
complete -c watchdog -n "__fish_watchdog_using_subcommand probe; and __fish_seen_subcommand_from redis" -l set -d 'Any option of the kind, dots between levels, e.g. `expect.latency.below=1s`; the guide lists them' -r
complete -c watchdog -n "__fish_watchdog_using_subcommand probe; and __fish_seen_subcommand_from redis" -l timeout -d 'Give up after this long; covers name lookup, connection, TLS and answer' -r
complete -c watchdog -n "__fish_watchdog_using_subcommand probe; and __fish_seen_subcommand_from redis" -l glyphs -d 'What bars are drawn with' -r -f -a "unicode\t''
ascii\t''"
complete -c watchdog -n "__fish_watchdog_using_subcommand probe; and __fish_seen_subcommand_from redis" -s c -l config-dir -d 'Directory of the configuration [env: WATCHDOG_CONFIG_DIR] [default: . if it holds monitors.d, else ~/.config/watchdog, else /etc/watchdog]' -r -F
complete -c watchdog -n "__fish_watchdog_using_subcommand probe; and __fish_seen_subcommand_from redis" -l data-dir -d 'Directory of the state [env: WATCHDOG_DATA_DIR] [default: ~/.local/state/watchdog; root: /var/lib/watchdog]' -r -F
complete -c watchdog -n "__fish_watchdog_using_subcommand probe; and __fish_seen_subcommand_from redis" -l socket -d 'Unix socket of the server [env: WATCHDOG_SOCKET] [default: $XDG_RUNTIME_DIR/watchdog.sock, else in the data directory]' -r -F
complete -c watchdog -n "__fish_watchdog_using_subcommand probe; and __fish_seen_subcommand_from redis" -l color -d 'When to use colours: auto, always or never' -r -f -a "auto\t'On a terminal, unless `NO_COLOR` is set'
always\t'Always'
never\t'Never'"
complete -c watchdog -n "__fish_watchdog_using_subcommand probe; and __fish_seen_subcommand_from redis" -l open-login -d 'Let the password go over a connection that is not encrypted'
complete -c watchdog -n "__fish_watchdog_using_subcommand probe; and __fish_seen_subcommand_from redis" -l tls -d 'Speak TLS'
complete -c watchdog -n "__fish_watchdog_using_subcommand probe; and __fish_seen_subcommand_from redis" -l insecure -d 'Do not verify the certificate'
complete -c watchdog -n "__fish_watchdog_using_subcommand probe; and __fish_seen_subcommand_from redis" -l nagios -d 'Behave as a Nagios plugin: one line with performance data, and Nagios\' exit codes'
complete -c watchdog -n "__fish_watchdog_using_subcommand probe; and __fish_seen_subcommand_from redis" -l json -d 'Print JSON'
complete -c watchdog -n "__fish_watchdog_using_subcommand probe; and __fish_seen_subcommand_from redis" -s h -l help -d 'Print help'
complete -c watchdog -n "__fish_watchdog_using_subcommand probe; and __fish_seen_subcommand_from postgres" -l user -d 'Name to log in with' -r
complete -c watchdog -n "__fish_watchdog_using_subcommand probe; and __fish_seen_subcommand_from postgres" -l password -d 'Password; `${env:NAME}` keeps it out of the history' -r
complete -c watchdog -n "__fish_watchdog_using_subcommand probe; and __fish_seen_subcommand_from postgres" -l database -d 'Database to be in' -r
complete -c watchdog -n "__fish_watchdog_using_subcommand probe; and __fish_seen_subcommand_from postgres" -l query -d 'Query whose first value is judged' -r
complete -c watchdog -n "__fish_watchdog_using_subcommand probe; and __fish_seen_subcommand_from postgres" -l role -d '`primary` or `replica`' -r
complete -c watchdog -n "__fish_watchdog_using_subcommand probe; and __fish_seen_subcommand_from postgres" -l lag-below -d 'How far a replica may be behind' -r
complete -c watchdog -n "__fish_watchdog_using_subcommand probe; and __fish_seen_subcommand_from postgres" -l expect-value -d 'Value that the answer must be' -r
complete -c watchdog -n "__fish_watchdog_using_subcommand probe; and __fish_seen_subcommand_from postgres" -l expect-contains -d 'Text that it must contain' -r
complete -c watchdog -n "__fish_watchdog_using_subcommand probe; and __fish_seen_subcommand_from postgres" -l expect-matches -d 'Expression that it must match' -r
complete -c watchdog -n "__fish_watchdog_using_subcommand probe; and __fish_seen_subcommand_from postgres" -l expect-above -d 'Number that it must be above' -r
complete -c watchdog -n "__fish_watchdog_using_subcommand probe; and __fish_seen_subcommand_from postgres" -l expect-below -d 'Number that it must be below' -r
complete -c watchdog -n "__fish_watchdog_using_subcommand probe; and __fish_seen_subcommand_from postgres" -l rows-at-least -d 'Rows that the query must give' -r
complete -c watchdog -n "__fish_watchdog_using_subcommand probe; and __fish_seen_subcommand_from postgres" -l rows-at-most -d 'Rows that it may give' -r
complete -c watchdog -n "__fish_watchdog_using_subcommand probe; and __fish_seen_subcommand_from postgres" -l server-name -d 'Name that the certificate must be for' -r
complete -c watchdog -n "__fish_watchdog_using_subcommand probe; and __fish_seen_subcommand_from postgres" -l ca-file -d 'PEM file with the CA to trust instead of the system\'s' -r
complete -c watchdog -n "__fish_watchdog_using_subcommand probe; and __fish_seen_subcommand_from postgres" -l client-cert -d 'PEM file with the client certificate to show' -r
complete -c watchdog -n "__fish_watchdog_using_subcommand probe; and __fish_seen_subcommand_from postgres" -l client-key -d 'PEM file with its private key' -r
complete -c watchdog -n "__fish_watchdog_using_subcommand probe; and __fish_seen_subcommand_from postgres" -l tls-min -d 'Lowest version of TLS that is offered, `1.2` or `1.3`' -r
complete -c watchdog -n "__fish_watchdog_using_subcommand probe; and __fish_seen_subcommand_from postgres" -l tls-max -d 'Highest version of TLS that is offered' -r
complete -c watchdog -n "__fish_watchdog_using_subcommand probe; and __fish_seen_subcommand_from postgres" -l ip-version -d '`4`, `6`, `prefer4` or `prefer6`' -r
complete -c watchdog -n "__fish_watchdog_using_subcommand probe; and __fish_seen_subcommand_from postgres" -l resolver -d 'DNS server to ask instead of the system\'s resolver' -r
complete -c watchdog -n "__fish_watchdog_using_subcommand probe; and __fish_seen_subcommand_from postgres" -l connect-to -d 'Address to dial, whatever the name says' -r
complete -c watchdog -n "__fish_watchdog_using_subcommand probe; and __fish_seen_subcommand_from postgres" -l latency-below -d 'Down when the probe takes this long or longer' -r
complete -c watchdog -n "__fish_watchdog_using_subcommand probe; and __fish_seen_subcommand_from postgres" -l degraded-above -d 'Degraded when it takes longer than this' -r
complete -c watchdog -n "__fish_watchdog_using_subcommand probe; and __fish_seen_subcommand_from postgres" -l set -d 'Any option of the kind, dots between levels, e.g. `expect.latency.below=1s`; the guide lists them' -r
complete -c watchdog -n "__fish_watchdog_using_subcommand probe; and __fish_seen_subcommand_from postgres" -l timeout -d 'Give up after this long; covers name lookup, connection, TLS and answer' -r
complete -c watchdog -n "__fish_watchdog_using_subcommand probe; and __fish_seen_subcommand_from postgres" -l glyphs -d 'What bars are drawn with' -r -f -a "unicode\t''
ascii\t''"
complete -c watchdog -n "__fish_watchdog_using_subcommand probe; and __fish_seen_subcommand_from postgres" -s c -l config-dir -d 'Directory of the configuration [env: WATCHDOG_CONFIG_DIR] [default: . if it holds monitors.d, else ~/.config/watchdog, else /etc/watchdog]' -r -F
complete -c watchdog -n "__fish_watchdog_using_subcommand probe; and __fish_seen_subcommand_from postgres" -l data-dir -d 'Directory of the state [env: WATCHDOG_DATA_DIR] [default: ~/.local/state/watchdog; root: /var/lib/watchdog]' -r -F
complete -c watchdog -n "__fish_watchdog_using_subcommand probe; and __fish_seen_subcommand_from postgres" -l socket -d 'Unix socket of the server [env: WATCHDOG_SOCKET] [default: $XDG_RUNTIME_DIR/watchdog.sock, else in the data directory]' -r -F
complete -c watchdog -n "__fish_watchdog_using_subcommand probe; and __fish_seen_subcommand_from postgres" -l color -d 'When to use colours: auto, always or never' -r -f -a "auto\t'On a terminal, unless `NO_COLOR` is set'
always\t'Always'
never\t'Never'"
complete -c watchdog -n "__fish_watchdog_using_subcommand probe; and __fish_seen_subcommand_from postgres" -l open-login -d 'Let the password go over a connection that is not encrypted'
complete -c watchdog -n "__fish_watchdog_using_subcommand probe; and __fish_seen_subcommand_from postgres" -l tls -d 'Speak TLS'
complete -c watchdog -n "__fish_watchdog_using_subcommand probe; and __fish_seen_subcommand_from postgres" -l insecure -d 'Do not verify the certificate'
complete -c watchdog -n "__fish_watchdog_using_subcommand probe; and __fish_seen_subcommand_from postgres" -l nagios -d 'Behave as a Nagios plugin: one line with performance data, and Nagios\' exit codes'
complete -c watchdog -n "__fish_watchdog_using_subcommand probe; and __fish_seen_subcommand_from postgres" -l json -d 'Print JSON'
complete -c watchdog -n "__fish_watchdog_using_subcommand probe; and __fish_seen_subcommand_from postgres" -s h -l help -d 'Print help'
complete -c watchdog -n "__fish_watchdog_using_subcommand probe; and __fish_seen_subcommand_from mysql" -l user -d 'Name to log in with' -r
complete -c watchdog -n "__fish_watchdog_using_subcommand probe; and __fish_seen_subcommand_from mysql" -l password -d 'Password; `${env:NAME}` keeps it out of the history' -r
complete -c watchdog -n "__fish_watchdog_using_subcommand probe; and __fish_seen_subcommand_from mysql" -l database -d 'Database to be in' -r
complete -c watchdog -n "__fish_watchdog_using_subcommand probe; and __fish_seen_subcommand_from mysql" -l query -d 'Query whose first value is judged' -r
complete -c watchdog -n "__fish_watchdog_using_subcommand probe; and __fish_seen_subcommand_from mysql" -l role -d '`primary` or `replica`' -r
complete -c watchdog -n "__fish_watchdog_using_subcommand probe; and __fish_seen_subcommand_from mysql" -l lag-below -d 'How far a replica may be behind' -r
complete -c watchdog -n "__fish_watchdog_using_subcommand probe; and __fish_seen_subcommand_from mysql" -l expect-value -d 'Value that the answer must be' -r
complete -c watchdog -n "__fish_watchdog_using_subcommand probe; and __fish_seen_subcommand_from mysql" -l expect-contains -d 'Text that it must contain' -r
complete -c watchdog -n "__fish_watchdog_using_subcommand probe; and __fish_seen_subcommand_from mysql" -l expect-matches -d 'Expression that it must match' -r
complete -c watchdog -n "__fish_watchdog_using_subcommand probe; and __fish_seen_subcommand_from mysql" -l expect-above -d 'Number that it must be above' -r
complete -c watchdog -n "__fish_watchdog_using_subcommand probe; and __fish_seen_subcommand_from mysql" -l expect-below -d 'Number that it must be below' -r
complete -c watchdog -n "__fish_watchdog_using_subcommand probe; and __fish_seen_subcommand_from mysql" -l rows-at-least -d 'Rows that the query must give' -r
complete -c watchdog -n "__fish_watchdog_using_subcommand probe; and __fish_seen_subcommand_from mysql" -l rows-at-most -d 'Rows that it may give' -r
complete -c watchdog -n "__fish_watchdog_using_subcommand probe; and __fish_seen_subcommand_from mysql" -l server-name -d 'Name that the certificate must be for' -r
complete -c watchdog -n "__fish_watchdog_using_subcommand probe; and __fish_seen_subcommand_from mysql" -l ca-file -d 'PEM file with the CA to trust instead of the system\'s' -r
complete -c watchdog -n "__fish_watchdog_using_subcommand probe; and __fish_seen_subcommand_from mysql" -l client-cert -d 'PEM file with the client certificate to show' -r
complete -c watchdog -n "__fish_watchdog_using_subcommand probe; and __fish_seen_subcommand_from mysql" -l client-key -d 'PEM file with its private key' -r
complete -c watchdog -n "__fish_watchdog_using_subcommand probe; and __fish_seen_subcommand_from mysql" -l tls-min -d 'Lowest version of TLS that is offered, `1.2` or `1.3`' -r
complete -c watchdog -n "__fish_watchdog_using_subcommand probe; and __fish_seen_subcommand_from mysql" -l tls-max -d 'Highest version of TLS that is offered' -r
complete -c watchdog -n "__fish_watchdog_using_subcommand probe; and __fish_seen_subcommand_from mysql" -l ip-version -d '`4`, `6`, `prefer4` or `prefer6`' -r
complete -c watchdog -n "__fish_watchdog_using_subcommand probe; and __fish_seen_subcommand_from mysql" -l resolver -d 'DNS server to ask instead of the system\'s resolver' -r
complete -c watchdog -n "__fish_watchdog_using_subcommand probe; and __fish_seen_subcommand_from mysql" -l connect-to -d 'Address to dial, whatever the name says' -r
complete -c watchdog -n "__fish_watchdog_using_subcommand probe; and __fish_seen_subcommand_from mysql" -l latency-below -d 'Down when the probe takes this long or longer' -r
complete -c watchdog -n "__fish_watchdog_using_subcommand probe; and __fish_seen_subcommand_from mysql" -l degraded-above -d 'Degraded when it takes longer than this' -r
complete -c watchdog -n "__fish_watchdog_using_subcommand probe; and __fish_seen_subcommand_from mysql" -l set -d 'Any option of the kind, dots between levels, e.g. `expect.latency.below=1s`; the guide lists them' -r
complete -c watchdog -n "__fish_watchdog_using_subcommand probe; and __fish_seen_subcommand_from mysql" -l timeout -d 'Give up after this long; covers name lookup, connection, TLS and answer' -r
complete -c watchdog -n "__fish_watchdog_using_subcommand probe; and __fish_seen_subcommand_from mysql" -l glyphs -d 'What bars are drawn with' -r -f -a "unicode\t''
ascii\t''"
complete -c watchdog -n "__fish_watchdog_using_subcommand probe; and __fish_seen_subcommand_from mysql" -s c -l config-dir -d 'Directory of the configuration [env: WATCHDOG_CONFIG_DIR] [default: . if it holds monitors.d, else ~/.config/watchdog, else /etc/watchdog]' -r -F
complete -c watchdog -n "__fish_watchdog_using_subcommand probe; and __fish_seen_subcommand_from mysql" -l data-dir -d 'Directory of the state [env: WATCHDOG_DATA_DIR] [default: ~/.local/state/watchdog; root: /var/lib/watchdog]' -r -F
complete -c watchdog -n "__fish_watchdog_using_subcommand probe; and __fish_seen_subcommand_from mysql" -l socket -d 'Unix socket of the server [env: WATCHDOG_SOCKET] [default: $XDG_RUNTIME_DIR/watchdog.sock, else in the data directory]' -r -F
complete -c watchdog -n "__fish_watchdog_using_subcommand probe; and __fish_seen_subcommand_from mysql" -l color -d 'When to use colours: auto, always or never' -r -f -a "auto\t'On a terminal, unless `NO_COLOR` is set'
always\t'Always'
never\t'Never'"
complete -c watchdog -n "__fish_watchdog_using_subcommand probe; and __fish_seen_subcommand_from mysql" -l open-login -d 'Let the password go over a connection that is not encrypted'
complete -c watchdog -n "__fish_watchdog_using_subcommand probe; and __fish_seen_subcommand_from mysql" -l tls -d 'Speak TLS'
complete -c watchdog -n "__fish_watchdog_using_subcommand probe; and __fish_seen_subcommand_from mysql" -l insecure -d 'Do not verify the certificate'
complete -c watchdog -n "__fish_watchdog_using_subcommand probe; and __fish_seen_subcommand_from mysql" -l nagios -d 'Behave as a Nagios plugin: one line with performance data, and Nagios\' exit codes'
complete -c watchdog -n "__fish_watchdog_using_subcommand probe; and __fish_seen_subcommand_from mysql" -l json -d 'Print JSON'
complete -c watchdog -n "__fish_watchdog_using_subcommand probe; and __fish_seen_subcommand_from mysql" -s h -l help -d 'Print help'
complete -c watchdog -n "__fish_watchdog_using_subcommand probe; and __fish_seen_subcommand_from mqtt" -l user -d 'Name to log in with' -r
complete -c watchdog -n "__fish_watchdog_using_subcommand probe; and __fish_seen_subcommand_from mqtt" -l password -d 'Password; `${env:NAME}` keeps it out of the history' -r
complete -c watchdog -n "__fish_watchdog_using_subcommand probe; and __fish_seen_subcommand_from mqtt" -l mqtt-version -d '`3.1.1` or `5`' -r
complete -c watchdog -n "__fish_watchdog_using_subcommand probe; and __fish_seen_subcommand_from mqtt" -l client-id -d 'Name of the session; another each time without' -r
complete -c watchdog -n "__fish_watchdog_using_subcommand probe; and __fish_seen_subcommand_from mqtt" -l round-trip -d 'Publish here and wait for the same message' -r
complete -c watchdog -n "__fish_watchdog_using_subcommand probe; and __fish_seen_subcommand_from mqtt" -l retained -d 'Wait for the message that is retained here' -r
complete -c watchdog -n "__fish_watchdog_using_subcommand probe; and __fish_seen_subcommand_from mqtt" -l expect-value -d 'Value that the answer must be' -r
complete -c watchdog -n "__fish_watchdog_using_subcommand probe; and __fish_seen_subcommand_from mqtt" -l expect-contains -d 'Text that it must contain' -r
complete -c watchdog -n "__fish_watchdog_using_subcommand probe; and __fish_seen_subcommand_from mqtt" -l expect-matches -d 'Expression that it must match' -r
complete -c watchdog -n "__fish_watchdog_using_subcommand probe; and __fish_seen_subcommand_from mqtt" -l expect-above -d 'Number that it must be above' -r
complete -c watchdog -n "__fish_watchdog_using_subcommand probe; and __fish_seen_subcommand_from mqtt" -l expect-below -d 'Number that it must be below' -r
complete -c watchdog -n "__fish_watchdog_using_subcommand probe; and __fish_seen_subcommand_from mqtt" -l server-name -d 'Name that the certificate must be for' -r
complete -c watchdog -n "__fish_watchdog_using_subcommand probe; and __fish_seen_subcommand_from mqtt" -l ca-file -d 'PEM file with the CA to trust instead of the system\'s' -r
complete -c watchdog -n "__fish_watchdog_using_subcommand probe; and __fish_seen_subcommand_from mqtt" -l client-cert -d 'PEM file with the client certificate to show' -r
complete -c watchdog -n "__fish_watchdog_using_subcommand probe; and __fish_seen_subcommand_from mqtt" -l client-key -d 'PEM file with its private key' -r
complete -c watchdog -n "__fish_watchdog_using_subcommand probe; and __fish_seen_subcommand_from mqtt" -l tls-min -d 'Lowest version of TLS that is offered, `1.2` or `1.3`' -r
complete -c watchdog -n "__fish_watchdog_using_subcommand probe; and __fish_seen_subcommand_from mqtt" -l tls-max -d 'Highest version of TLS that is offered' -r
complete -c watchdog -n "__fish_watchdog_using_subcommand probe; and __fish_seen_subcommand_from mqtt" -l ip-version -d '`4`, `6`, `prefer4` or `prefer6`' -r
complete -c watchdog -n "__fish_watchdog_using_subcommand probe; and __fish_seen_subcommand_from mqtt" -l resolver -d 'DNS server to ask instead of the system\'s resolver' -r
complete -c watchdog -n "__fish_watchdog_using_subcommand probe; and __fish_seen_subcommand_from mqtt" -l connect-to -d 'Address to dial, whatever the name says' -r
complete -c watchdog -n "__fish_watchdog_using_subcommand probe; and __fish_seen_subcommand_from mqtt" -l latency-below -d 'Down when the probe takes this long or longer' -r
complete -c watchdog -n "__fish_watchdog_using_subcommand probe; and __fish_seen_subcommand_from mqtt" -l degraded-above -d 'Degraded when it takes longer than this' -r
complete -c watchdog -n "__fish_watchdog_using_subcommand probe; and __fish_seen_subcommand_from mqtt" -l set -d 'Any option of the kind, dots between levels, e.g. `expect.latency.below=1s`; the guide lists them' -r
complete -c watchdog -n "__fish_watchdog_using_subcommand probe; and __fish_seen_subcommand_from mqtt" -l timeout -d 'Give up after this long; covers name lookup, connection, TLS and answer' -r
complete -c watchdog -n "__fish_watchdog_using_subcommand probe; and __fish_seen_subcommand_from mqtt" -l glyphs -d 'What bars are drawn with' -r -f -a "unicode\t''
ascii\t''"
complete -c watchdog -n "__fish_watchdog_using_subcommand probe; and __fish_seen_subcommand_from mqtt" -s c -l config-dir -d 'Directory of the configuration [env: WATCHDOG_CONFIG_DIR] [default: . if it holds monitors.d, else ~/.config/watchdog, else /etc/watchdog]' -r -F
complete -c watchdog -n "__fish_watchdog_using_subcommand probe; and __fish_seen_subcommand_from mqtt" -l data-dir -d 'Directory of the state [env: WATCHDOG_DATA_DIR] [default: ~/.local/state/watchdog; root: /var/lib/watchdog]' -r -F
complete -c watchdog -n "__fish_watchdog_using_subcommand probe; and __fish_seen_subcommand_from mqtt" -l socket -d 'Unix socket of the server [env: WATCHDOG_SOCKET] [default: $XDG_RUNTIME_DIR/watchdog.sock, else in the data directory]' -r -F
complete -c watchdog -n "__fish_watchdog_using_subcommand probe; and __fish_seen_subcommand_from mqtt" -l color -d 'When to use colours: auto, always or never' -r -f -a "auto\t'On a terminal, unless `NO_COLOR` is set'
always\t'Always'
never\t'Never'"
complete -c watchdog -n "__fish_watchdog_using_subcommand probe; and __fish_seen_subcommand_from mqtt" -l open-login -d 'Let the password go over a connection that is not encrypted'
complete -c watchdog -n "__fish_watchdog_using_subcommand probe; and __fish_seen_subcommand_from mqtt" -l tls -d 'Speak TLS'
complete -c watchdog -n "__fish_watchdog_using_subcommand probe; and __fish_seen_subcommand_from mqtt" -l insecure -d 'Do not verify the certificate'
complete -c watchdog -n "__fish_watchdog_using_subcommand probe; and __fish_seen_subcommand_from mqtt" -l nagios -d 'Behave as a Nagios plugin: one line with performance data, and Nagios\' exit codes'
complete -c watchdog -n "__fish_watchdog_using_subcommand probe; and __fish_seen_subcommand_from mqtt" -l json -d 'Print JSON'
complete -c watchdog -n "__fish_watchdog_using_subcommand probe; and __fish_seen_subcommand_from mqtt" -s h -l help -d 'Print help'
complete -c watchdog -n "__fish_watchdog_using_subcommand probe; and __fish_seen_subcommand_from domain" -l valid-for -d 'It must be registered that long' -r
complete -c watchdog -n "__fish_watchdog_using_subcommand probe; and __fish_seen_subcommand_from domain" -l not-status -d 'State that it must not have' -r
complete -c watchdog -n "__fish_watchdog_using_subcommand probe; and __fish_seen_subcommand_from domain" -l status -d 'State that it must have' -r
complete -c watchdog -n "__fish_watchdog_using_subcommand probe; and __fish_seen_subcommand_from domain" -l nameserver -d 'Its name servers, all of them' -r
complete -c watchdog -n "__fish_watchdog_using_subcommand probe; and __fish_seen_subcommand_from domain" -l method -d '`auto`, `rdap` or `whois`' -r
complete -c watchdog -n "__fish_watchdog_using_subcommand probe; and __fish_seen_subcommand_from domain" -l rdap-server -d 'RDAP server to ask' -r
complete -c watchdog -n "__fish_watchdog_using_subcommand probe; and __fish_seen_subcommand_from domain" -l whois-server -d 'WHOIS server to ask' -r
complete -c watchdog -n "__fish_watchdog_using_subcommand probe; and __fish_seen_subcommand_from domain" -l ip-version -d '`4`, `6`, `prefer4` or `prefer6`' -r
complete -c watchdog -n "__fish_watchdog_using_subcommand probe; and __fish_seen_subcommand_from domain" -l resolver -d 'DNS server to ask instead of the system\'s resolver' -r
complete -c watchdog -n "__fish_watchdog_using_subcommand probe; and __fish_seen_subcommand_from domain" -l set -d 'Any option of the kind, dots between levels, e.g. `expect.latency.below=1s`; the guide lists them' -r
complete -c watchdog -n "__fish_watchdog_using_subcommand probe; and __fish_seen_subcommand_from domain" -l timeout -d 'Give up after this long; covers name lookup, connection, TLS and answer' -r
complete -c watchdog -n "__fish_watchdog_using_subcommand probe; and __fish_seen_subcommand_from domain" -l glyphs -d 'What bars are drawn with' -r -f -a "unicode\t''
ascii\t''"
complete -c watchdog -n "__fish_watchdog_using_subcommand probe; and __fish_seen_subcommand_from domain" -s c -l config-dir -d 'Directory of the configuration [env: WATCHDOG_CONFIG_DIR] [default: . if it holds monitors.d, else ~/.config/watchdog, else /etc/watchdog]' -r -F
complete -c watchdog -n "__fish_watchdog_using_subcommand probe; and __fish_seen_subcommand_from domain" -l data-dir -d 'Directory of the state [env: WATCHDOG_DATA_DIR] [default: ~/.local/state/watchdog; root: /var/lib/watchdog]' -r -F
complete -c watchdog -n "__fish_watchdog_using_subcommand probe; and __fish_seen_subcommand_from domain" -l socket -d 'Unix socket of the server [env: WATCHDOG_SOCKET] [default: $XDG_RUNTIME_DIR/watchdog.sock, else in the data directory]' -r -F
complete -c watchdog -n "__fish_watchdog_using_subcommand probe; and __fish_seen_subcommand_from domain" -l color -d 'When to use colours: auto, always or never' -r -f -a "auto\t'On a terminal, unless `NO_COLOR` is set'
always\t'Always'
never\t'Never'"
complete -c watchdog -n "__fish_watchdog_using_subcommand probe; and __fish_seen_subcommand_from domain" -l nagios -d 'Behave as a Nagios plugin: one line with performance data, and Nagios\' exit codes'
complete -c watchdog -n "__fish_watchdog_using_subcommand probe; and __fish_seen_subcommand_from domain" -l json -d 'Print JSON'
complete -c watchdog -n "__fish_watchdog_using_subcommand probe; and __fish_seen_subcommand_from domain" -s h -l help -d 'Print help'
complete -c watchdog -n "__fish_watchdog_using_subcommand probe; and __fish_seen_subcommand_from file" -l age-below -d 'It must have changed within this time' -r
complete -c watchdog -n "__fish_watchdog_using_subcommand probe; and __fish_seen_subcommand_from file" -l age-above -d 'It must not have changed for this time' -r
complete -c watchdog -n "__fish_watchdog_using_subcommand probe; and __fish_seen_subcommand_from file" -l oldest-below -d 'So must the oldest of a pattern' -r
complete -c watchdog -n "__fish_watchdog_using_subcommand probe; and __fish_seen_subcommand_from file" -l size-above -d 'It must be larger' -r
complete -c watchdog -n "__fish_watchdog_using_subcommand probe; and __fish_seen_subcommand_from file" -l size-below -d 'It must be smaller' -r
complete -c watchdog -n "__fish_watchdog_using_subcommand probe; and __fish_seen_subcommand_from file" -l count-at-least -d 'Files that a pattern must yield' -r
complete -c watchdog -n "__fish_watchdog_using_subcommand probe; and __fish_seen_subcommand_from file" -l count-at-most -d 'Files that it may yield' -r
complete -c watchdog -n "__fish_watchdog_using_subcommand probe; and __fish_seen_subcommand_from file" -l sha256 -d 'Hash of its content' -r
complete -c watchdog -n "__fish_watchdog_using_subcommand probe; and __fish_seen_subcommand_from file" -l expect-contains -d 'Text that it must contain' -r
complete -c watchdog -n "__fish_watchdog_using_subcommand probe; and __fish_seen_subcommand_from file" -l expect-matches -d 'Expression that it must match' -r
complete -c watchdog -n "__fish_watchdog_using_subcommand probe; and __fish_seen_subcommand_from file" -l set -d 'Any option of the kind, dots between levels, e.g. `expect.latency.below=1s`; the guide lists them' -r
complete -c watchdog -n "__fish_watchdog_using_subcommand probe; and __fish_seen_subcommand_from file" -l timeout -d 'Give up after this long; covers name lookup, connection, TLS and answer' -r
complete -c watchdog -n "__fish_watchdog_using_subcommand probe; and __fish_seen_subcommand_from file" -l glyphs -d 'What bars are drawn with' -r -f -a "unicode\t''
ascii\t''"
complete -c watchdog -n "__fish_watchdog_using_subcommand probe; and __fish_seen_subcommand_from file" -s c -l config-dir -d 'Directory of the configuration [env: WATCHDOG_CONFIG_DIR] [default: . if it holds monitors.d, else ~/.config/watchdog, else /etc/watchdog]' -r -F
complete -c watchdog -n "__fish_watchdog_using_subcommand probe; and __fish_seen_subcommand_from file" -l data-dir -d 'Directory of the state [env: WATCHDOG_DATA_DIR] [default: ~/.local/state/watchdog; root: /var/lib/watchdog]' -r -F
complete -c watchdog -n "__fish_watchdog_using_subcommand probe; and __fish_seen_subcommand_from file" -l socket -d 'Unix socket of the server [env: WATCHDOG_SOCKET] [default: $XDG_RUNTIME_DIR/watchdog.sock, else in the data directory]' -r -F
complete -c watchdog -n "__fish_watchdog_using_subcommand probe; and __fish_seen_subcommand_from file" -l color -d 'When to use colours: auto, always or never' -r -f -a "auto\t'On a terminal, unless `NO_COLOR` is set'
always\t'Always'
never\t'Never'"
complete -c watchdog -n "__fish_watchdog_using_subcommand probe; and __fish_seen_subcommand_from file" -l absent -d 'It must not be there'
complete -c watchdog -n "__fish_watchdog_using_subcommand probe; and __fish_seen_subcommand_from file" -l no-symlink -d 'It must not be a symbolic link'
complete -c watchdog -n "__fish_watchdog_using_subcommand probe; and __fish_seen_subcommand_from file" -l nagios -d 'Behave as a Nagios plugin: one line with performance data, and Nagios\' exit codes'
complete -c watchdog -n "__fish_watchdog_using_subcommand probe; and __fish_seen_subcommand_from file" -l json -d 'Print JSON'
complete -c watchdog -n "__fish_watchdog_using_subcommand probe; and __fish_seen_subcommand_from file" -s h -l help -d 'Print help'
complete -c watchdog -n "__fish_watchdog_using_subcommand probe; and __fish_seen_subcommand_from cert-file" -l valid-for -d 'Every certificate must be valid that long' -r
complete -c watchdog -n "__fish_watchdog_using_subcommand probe; and __fish_seen_subcommand_from cert-file" -l name -d 'Name that the first certificate must be for' -r
complete -c watchdog -n "__fish_watchdog_using_subcommand probe; and __fish_seen_subcommand_from cert-file" -l key -d 'Private key that the first certificate must belong to' -r
complete -c watchdog -n "__fish_watchdog_using_subcommand probe; and __fish_seen_subcommand_from cert-file" -l set -d 'Any option of the kind, dots between levels, e.g. `expect.latency.below=1s`; the guide lists them' -r
complete -c watchdog -n "__fish_watchdog_using_subcommand probe; and __fish_seen_subcommand_from cert-file" -l timeout -d 'Give up after this long; covers name lookup, connection, TLS and answer' -r
complete -c watchdog -n "__fish_watchdog_using_subcommand probe; and __fish_seen_subcommand_from cert-file" -l glyphs -d 'What bars are drawn with' -r -f -a "unicode\t''
ascii\t''"
complete -c watchdog -n "__fish_watchdog_using_subcommand probe; and __fish_seen_subcommand_from cert-file" -s c -l config-dir -d 'Directory of the configuration [env: WATCHDOG_CONFIG_DIR] [default: . if it holds monitors.d, else ~/.config/watchdog, else /etc/watchdog]' -r -F
complete -c watchdog -n "__fish_watchdog_using_subcommand probe; and __fish_seen_subcommand_from cert-file" -l data-dir -d 'Directory of the state [env: WATCHDOG_DATA_DIR] [default: ~/.local/state/watchdog; root: /var/lib/watchdog]' -r -F
complete -c watchdog -n "__fish_watchdog_using_subcommand probe; and __fish_seen_subcommand_from cert-file" -l socket -d 'Unix socket of the server [env: WATCHDOG_SOCKET] [default: $XDG_RUNTIME_DIR/watchdog.sock, else in the data directory]' -r -F
complete -c watchdog -n "__fish_watchdog_using_subcommand probe; and __fish_seen_subcommand_from cert-file" -l color -d 'When to use colours: auto, always or never' -r -f -a "auto\t'On a terminal, unless `NO_COLOR` is set'
always\t'Always'
never\t'Never'"
complete -c watchdog -n "__fish_watchdog_using_subcommand probe; and __fish_seen_subcommand_from cert-file" -l chain -d 'Each certificate must be issued by the next one'
complete -c watchdog -n "__fish_watchdog_using_subcommand probe; and __fish_seen_subcommand_from cert-file" -l nagios -d 'Behave as a Nagios plugin: one line with performance data, and Nagios\' exit codes'
complete -c watchdog -n "__fish_watchdog_using_subcommand probe; and __fish_seen_subcommand_from cert-file" -l json -d 'Print JSON'
complete -c watchdog -n "__fish_watchdog_using_subcommand probe; and __fish_seen_subcommand_from cert-file" -s h -l help -d 'Print help'
complete -c watchdog -n "__fish_watchdog_using_subcommand probe; and __fish_seen_subcommand_from docker" -l host -d '`unix:///var/run/docker.sock` or `tcp://name:2376`' -r
complete -c watchdog -n "__fish_watchdog_using_subcommand probe; and __fish_seen_subcommand_from docker" -l container -d 'A container (or `label:KEY`) must be `running`, `healthy`, `exited` or `absent`' -r
complete -c watchdog -n "__fish_watchdog_using_subcommand probe; and __fish_seen_subcommand_from docker" -l restarts-below -d 'Restarts that none may reach' -r
complete -c watchdog -n "__fish_watchdog_using_subcommand probe; and __fish_seen_subcommand_from docker" -l server-name -d 'Name that the certificate must be for' -r
complete -c watchdog -n "__fish_watchdog_using_subcommand probe; and __fish_seen_subcommand_from docker" -l ca-file -d 'PEM file with the CA to trust instead of the system\'s' -r
complete -c watchdog -n "__fish_watchdog_using_subcommand probe; and __fish_seen_subcommand_from docker" -l client-cert -d 'PEM file with the client certificate to show' -r
complete -c watchdog -n "__fish_watchdog_using_subcommand probe; and __fish_seen_subcommand_from docker" -l client-key -d 'PEM file with its private key' -r
complete -c watchdog -n "__fish_watchdog_using_subcommand probe; and __fish_seen_subcommand_from docker" -l tls-min -d 'Lowest version of TLS that is offered, `1.2` or `1.3`' -r
complete -c watchdog -n "__fish_watchdog_using_subcommand probe; and __fish_seen_subcommand_from docker" -l tls-max -d 'Highest version of TLS that is offered' -r
complete -c watchdog -n "__fish_watchdog_using_subcommand probe; and __fish_seen_subcommand_from docker" -l ip-version -d '`4`, `6`, `prefer4` or `prefer6`' -r
complete -c watchdog -n "__fish_watchdog_using_subcommand probe; and __fish_seen_subcommand_from docker" -l resolver -d 'DNS server to ask instead of the system\'s resolver' -r
complete -c watchdog -n "__fish_watchdog_using_subcommand probe; and __fish_seen_subcommand_from docker" -l connect-to -d 'Address to dial, whatever the name says' -r
complete -c watchdog -n "__fish_watchdog_using_subcommand probe; and __fish_seen_subcommand_from docker" -l set -d 'Any option of the kind, dots between levels, e.g. `expect.latency.below=1s`; the guide lists them' -r
complete -c watchdog -n "__fish_watchdog_using_subcommand probe; and __fish_seen_subcommand_from docker" -l timeout -d 'Give up after this long; covers name lookup, connection, TLS and answer' -r
complete -c watchdog -n "__fish_watchdog_using_subcommand probe; and __fish_seen_subcommand_from docker" -l glyphs -d 'What bars are drawn with' -r -f -a "unicode\t''
ascii\t''"
complete -c watchdog -n "__fish_watchdog_using_subcommand probe; and __fish_seen_subcommand_from docker" -s c -l config-dir -d 'Directory of the configuration [env: WATCHDOG_CONFIG_DIR] [default: . if it holds monitors.d, else ~/.config/watchdog, else /etc/watchdog]' -r -F
complete -c watchdog -n "__fish_watchdog_using_subcommand probe; and __fish_seen_subcommand_from docker" -l data-dir -d 'Directory of the state [env: WATCHDOG_DATA_DIR] [default: ~/.local/state/watchdog; root: /var/lib/watchdog]' -r -F
complete -c watchdog -n "__fish_watchdog_using_subcommand probe; and __fish_seen_subcommand_from docker" -l socket -d 'Unix socket of the server [env: WATCHDOG_SOCKET] [default: $XDG_RUNTIME_DIR/watchdog.sock, else in the data directory]' -r -F
complete -c watchdog -n "__fish_watchdog_using_subcommand probe; and __fish_seen_subcommand_from docker" -l color -d 'When to use colours: auto, always or never' -r -f -a "auto\t'On a terminal, unless `NO_COLOR` is set'
always\t'Always'
never\t'Never'"
complete -c watchdog -n "__fish_watchdog_using_subcommand probe; and __fish_seen_subcommand_from docker" -l stats -d 'Ask what each container uses, too'
complete -c watchdog -n "__fish_watchdog_using_subcommand probe; and __fish_seen_subcommand_from docker" -l tls -d 'Speak TLS'
complete -c watchdog -n "__fish_watchdog_using_subcommand probe; and __fish_seen_subcommand_from docker" -l insecure -d 'Do not verify the certificate'
complete -c watchdog -n "__fish_watchdog_using_subcommand probe; and __fish_seen_subcommand_from docker" -l nagios -d 'Behave as a Nagios plugin: one line with performance data, and Nagios\' exit codes'
complete -c watchdog -n "__fish_watchdog_using_subcommand probe; and __fish_seen_subcommand_from docker" -l json -d 'Print JSON'
complete -c watchdog -n "__fish_watchdog_using_subcommand probe; and __fish_seen_subcommand_from docker" -s h -l help -d 'Print help'
complete -c watchdog -n "__fish_watchdog_using_subcommand probe; and __fish_seen_subcommand_from kubernetes" -l kubeconfig -d 'Kubeconfig; without it the pod\'s own account' -r
complete -c watchdog -n "__fish_watchdog_using_subcommand probe; and __fish_seen_subcommand_from kubernetes" -l context -d 'Context in it' -r
complete -c watchdog -n "__fish_watchdog_using_subcommand probe; and __fish_seen_subcommand_from kubernetes" -l namespace -d 'Namespace to look at; all without' -r
complete -c watchdog -n "__fish_watchdog_using_subcommand probe; and __fish_seen_subcommand_from kubernetes" -l selector -d 'Selector of labels, e.g. `app=shop,tier!=test`' -r
complete -c watchdog -n "__fish_watchdog_using_subcommand probe; and __fish_seen_subcommand_from kubernetes" -l watch -d 'What to look at: `nodes`, `pods`, `deployments` …' -r
complete -c watchdog -n "__fish_watchdog_using_subcommand probe; and __fish_seen_subcommand_from kubernetes" -l grace -d 'How long pods and workloads may take to begin' -r
complete -c watchdog -n "__fish_watchdog_using_subcommand probe; and __fish_seen_subcommand_from kubernetes" -l valid-for -d 'How long certificates must still be valid' -r
complete -c watchdog -n "__fish_watchdog_using_subcommand probe; and __fish_seen_subcommand_from kubernetes" -l ip-version -d '`4`, `6`, `prefer4` or `prefer6`' -r
complete -c watchdog -n "__fish_watchdog_using_subcommand probe; and __fish_seen_subcommand_from kubernetes" -l resolver -d 'DNS server to ask instead of the system\'s resolver' -r
complete -c watchdog -n "__fish_watchdog_using_subcommand probe; and __fish_seen_subcommand_from kubernetes" -l connect-to -d 'Address to dial, whatever the name says' -r
complete -c watchdog -n "__fish_watchdog_using_subcommand probe; and __fish_seen_subcommand_from kubernetes" -l set -d 'Any option of the kind, dots between levels, e.g. `expect.latency.below=1s`; the guide lists them' -r
complete -c watchdog -n "__fish_watchdog_using_subcommand probe; and __fish_seen_subcommand_from kubernetes" -l timeout -d 'Give up after this long; covers name lookup, connection, TLS and answer' -r
complete -c watchdog -n "__fish_watchdog_using_subcommand probe; and __fish_seen_subcommand_from kubernetes" -l glyphs -d 'What bars are drawn with' -r -f -a "unicode\t''
ascii\t''"
complete -c watchdog -n "__fish_watchdog_using_subcommand probe; and __fish_seen_subcommand_from kubernetes" -s c -l config-dir -d 'Directory of the configuration [env: WATCHDOG_CONFIG_DIR] [default: . if it holds monitors.d, else ~/.config/watchdog, else /etc/watchdog]' -r -F
complete -c watchdog -n "__fish_watchdog_using_subcommand probe; and __fish_seen_subcommand_from kubernetes" -l data-dir -d 'Directory of the state [env: WATCHDOG_DATA_DIR] [default: ~/.local/state/watchdog; root: /var/lib/watchdog]' -r -F
complete -c watchdog -n "__fish_watchdog_using_subcommand probe; and __fish_seen_subcommand_from kubernetes" -l socket -d 'Unix socket of the server [env: WATCHDOG_SOCKET] [default: $XDG_RUNTIME_DIR/watchdog.sock, else in the data directory]' -r -F
complete -c watchdog -n "__fish_watchdog_using_subcommand probe; and __fish_seen_subcommand_from kubernetes" -l color -d 'When to use colours: auto, always or never' -r -f -a "auto\t'On a terminal, unless `NO_COLOR` is set'
always\t'Always'
never\t'Never'"
complete -c watchdog -n "__fish_watchdog_using_subcommand probe; and __fish_seen_subcommand_from kubernetes" -l nagios -d 'Behave as a Nagios plugin: one line with performance data, and Nagios\' exit codes'
complete -c watchdog -n "__fish_watchdog_using_subcommand probe; and __fish_seen_subcommand_from kubernetes" -l json -d 'Print JSON'
complete -c watchdog -n "__fish_watchdog_using_subcommand probe; and __fish_seen_subcommand_from kubernetes" -s h -l help -d 'Print help'
complete -c watchdog -n "__fish_watchdog_using_subcommand probe; and __fish_seen_subcommand_from script" -l env -d 'Variable of the program\'s environment' -r
complete -c watchdog -n "__fish_watchdog_using_subcommand probe; and __fish_seen_subcommand_from script" -l inherit -d 'Variable to pass on beside PATH, HOME and LANG' -r
complete -c watchdog -n "__fish_watchdog_using_subcommand probe; and __fish_seen_subcommand_from script" -l cwd -d 'Directory to run it in' -r
complete -c watchdog -n "__fish_watchdog_using_subcommand probe; and __fish_seen_subcommand_from script" -l user -d 'Run it as this user; only root can' -r
complete -c watchdog -n "__fish_watchdog_using_subcommand probe; and __fish_seen_subcommand_from script" -l output -d 'What it prints: `nagios`, `prometheus` or `json`' -r
complete -c watchdog -n "__fish_watchdog_using_subcommand probe; and __fish_seen_subcommand_from script" -l set -d 'Any option of the kind, dots between levels, e.g. `expect.latency.below=1s`; the guide lists them' -r
complete -c watchdog -n "__fish_watchdog_using_subcommand probe; and __fish_seen_subcommand_from script" -l timeout -d 'Give up after this long; covers name lookup, connection, TLS and answer' -r
complete -c watchdog -n "__fish_watchdog_using_subcommand probe; and __fish_seen_subcommand_from script" -l glyphs -d 'What bars are drawn with' -r -f -a "unicode\t''
ascii\t''"
complete -c watchdog -n "__fish_watchdog_using_subcommand probe; and __fish_seen_subcommand_from script" -s c -l config-dir -d 'Directory of the configuration [env: WATCHDOG_CONFIG_DIR] [default: . if it holds monitors.d, else ~/.config/watchdog, else /etc/watchdog]' -r -F
complete -c watchdog -n "__fish_watchdog_using_subcommand probe; and __fish_seen_subcommand_from script" -l data-dir -d 'Directory of the state [env: WATCHDOG_DATA_DIR] [default: ~/.local/state/watchdog; root: /var/lib/watchdog]' -r -F
complete -c watchdog -n "__fish_watchdog_using_subcommand probe; and __fish_seen_subcommand_from script" -l socket -d 'Unix socket of the server [env: WATCHDOG_SOCKET] [default: $XDG_RUNTIME_DIR/watchdog.sock, else in the data directory]' -r -F
complete -c watchdog -n "__fish_watchdog_using_subcommand probe; and __fish_seen_subcommand_from script" -l color -d 'When to use colours: auto, always or never' -r -f -a "auto\t'On a terminal, unless `NO_COLOR` is set'
always\t'Always'
never\t'Never'"
complete -c watchdog -n "__fish_watchdog_using_subcommand probe; and __fish_seen_subcommand_from script" -l nagios -d 'Behave as a Nagios plugin: one line with performance data, and Nagios\' exit codes'
complete -c watchdog -n "__fish_watchdog_using_subcommand probe; and __fish_seen_subcommand_from script" -l json -d 'Print JSON'
complete -c watchdog -n "__fish_watchdog_using_subcommand probe; and __fish_seen_subcommand_from script" -s h -l help -d 'Print help'
complete -c watchdog -n "__fish_watchdog_using_subcommand probe; and __fish_seen_subcommand_from host" -l below -d 'Limit, e.g. `cpu=95%`, `memory=90%`, `disk=80%`, `swap=50%`, `load=2`' -r
complete -c watchdog -n "__fish_watchdog_using_subcommand probe; and __fish_seen_subcommand_from host" -l process -d 'Processes that must run, e.g. `nginx=1`' -r
complete -c watchdog -n "__fish_watchdog_using_subcommand probe; and __fish_seen_subcommand_from host" -l unit -d 'State of a systemd unit, e.g. `ssh=active`' -r
complete -c watchdog -n "__fish_watchdog_using_subcommand probe; and __fish_seen_subcommand_from host" -l set -d 'Any option of the kind, dots between levels, e.g. `expect.latency.below=1s`; the guide lists them' -r
complete -c watchdog -n "__fish_watchdog_using_subcommand probe; and __fish_seen_subcommand_from host" -l timeout -d 'Give up after this long; covers name lookup, connection, TLS and answer' -r
complete -c watchdog -n "__fish_watchdog_using_subcommand probe; and __fish_seen_subcommand_from host" -l glyphs -d 'What bars are drawn with' -r -f -a "unicode\t''
ascii\t''"
complete -c watchdog -n "__fish_watchdog_using_subcommand probe; and __fish_seen_subcommand_from host" -s c -l config-dir -d 'Directory of the configuration [env: WATCHDOG_CONFIG_DIR] [default: . if it holds monitors.d, else ~/.config/watchdog, else /etc/watchdog]' -r -F
complete -c watchdog -n "__fish_watchdog_using_subcommand probe; and __fish_seen_subcommand_from host" -l data-dir -d 'Directory of the state [env: WATCHDOG_DATA_DIR] [default: ~/.local/state/watchdog; root: /var/lib/watchdog]' -r -F
complete -c watchdog -n "__fish_watchdog_using_subcommand probe; and __fish_seen_subcommand_from host" -l socket -d 'Unix socket of the server [env: WATCHDOG_SOCKET] [default: $XDG_RUNTIME_DIR/watchdog.sock, else in the data directory]' -r -F
complete -c watchdog -n "__fish_watchdog_using_subcommand probe; and __fish_seen_subcommand_from host" -l color -d 'When to use colours: auto, always or never' -r -f -a "auto\t'On a terminal, unless `NO_COLOR` is set'
always\t'Always'
never\t'Never'"
complete -c watchdog -n "__fish_watchdog_using_subcommand probe; and __fish_seen_subcommand_from host" -l nagios -d 'Behave as a Nagios plugin: one line with performance data, and Nagios\' exit codes'
complete -c watchdog -n "__fish_watchdog_using_subcommand probe; and __fish_seen_subcommand_from host" -l json -d 'Print JSON'
complete -c watchdog -n "__fish_watchdog_using_subcommand probe; and __fish_seen_subcommand_from host" -s h -l help -d 'Print help'
complete -c watchdog -n "__fish_watchdog_using_subcommand probe; and __fish_seen_subcommand_from prometheus" -l user -d 'User to log in as' -r
complete -c watchdog -n "__fish_watchdog_using_subcommand probe; and __fish_seen_subcommand_from prometheus" -l password -d 'The user\'s password' -r
complete -c watchdog -n "__fish_watchdog_using_subcommand probe; and __fish_seen_subcommand_from prometheus" -l bearer -d 'Token to show' -r
complete -c watchdog -n "__fish_watchdog_using_subcommand probe; and __fish_seen_subcommand_from prometheus" -l sample-limit -d 'Most samples of an answer' -r
complete -c watchdog -n "__fish_watchdog_using_subcommand probe; and __fish_seen_subcommand_from prometheus" -l server-name -d 'Name that the certificate must be for' -r
complete -c watchdog -n "__fish_watchdog_using_subcommand probe; and __fish_seen_subcommand_from prometheus" -l ca-file -d 'PEM file with the CA to trust instead of the system\'s' -r
complete -c watchdog -n "__fish_watchdog_using_subcommand probe; and __fish_seen_subcommand_from prometheus" -l client-cert -d 'PEM file with the client certificate to show' -r
complete -c watchdog -n "__fish_watchdog_using_subcommand probe; and __fish_seen_subcommand_from prometheus" -l client-key -d 'PEM file with its private key' -r
complete -c watchdog -n "__fish_watchdog_using_subcommand probe; and __fish_seen_subcommand_from prometheus" -l tls-min -d 'Lowest version of TLS that is offered, `1.2` or `1.3`' -r
complete -c watchdog -n "__fish_watchdog_using_subcommand probe; and __fish_seen_subcommand_from prometheus" -l tls-max -d 'Highest version of TLS that is offered' -r
complete -c watchdog -n "__fish_watchdog_using_subcommand probe; and __fish_seen_subcommand_from prometheus" -l set -d 'Any option of the kind, dots between levels, e.g. `expect.latency.below=1s`; the guide lists them' -r
complete -c watchdog -n "__fish_watchdog_using_subcommand probe; and __fish_seen_subcommand_from prometheus" -l timeout -d 'Give up after this long; covers name lookup, connection, TLS and answer' -r
complete -c watchdog -n "__fish_watchdog_using_subcommand probe; and __fish_seen_subcommand_from prometheus" -l glyphs -d 'What bars are drawn with' -r -f -a "unicode\t''
ascii\t''"
complete -c watchdog -n "__fish_watchdog_using_subcommand probe; and __fish_seen_subcommand_from prometheus" -s c -l config-dir -d 'Directory of the configuration [env: WATCHDOG_CONFIG_DIR] [default: . if it holds monitors.d, else ~/.config/watchdog, else /etc/watchdog]' -r -F
complete -c watchdog -n "__fish_watchdog_using_subcommand probe; and __fish_seen_subcommand_from prometheus" -l data-dir -d 'Directory of the state [env: WATCHDOG_DATA_DIR] [default: ~/.local/state/watchdog; root: /var/lib/watchdog]' -r -F
complete -c watchdog -n "__fish_watchdog_using_subcommand probe; and __fish_seen_subcommand_from prometheus" -l socket -d 'Unix socket of the server [env: WATCHDOG_SOCKET] [default: $XDG_RUNTIME_DIR/watchdog.sock, else in the data directory]' -r -F
complete -c watchdog -n "__fish_watchdog_using_subcommand probe; and __fish_seen_subcommand_from prometheus" -l color -d 'When to use colours: auto, always or never' -r -f -a "auto\t'On a terminal, unless `NO_COLOR` is set'
always\t'Always'
never\t'Never'"
complete -c watchdog -n "__fish_watchdog_using_subcommand probe; and __fish_seen_subcommand_from prometheus" -l insecure -d 'Do not verify the certificate'
complete -c watchdog -n "__fish_watchdog_using_subcommand probe; and __fish_seen_subcommand_from prometheus" -l nagios -d 'Behave as a Nagios plugin: one line with performance data, and Nagios\' exit codes'
complete -c watchdog -n "__fish_watchdog_using_subcommand probe; and __fish_seen_subcommand_from prometheus" -l json -d 'Print JSON'
complete -c watchdog -n "__fish_watchdog_using_subcommand probe; and __fish_seen_subcommand_from prometheus" -s h -l help -d 'Print help'
complete -c watchdog -n "__fish_watchdog_using_subcommand probe; and __fish_seen_subcommand_from help" -f -a "http" -d 'One HTTP request, or several steps'
complete -c watchdog -n "__fish_watchdog_using_subcommand probe; and __fish_seen_subcommand_from help" -f -a "tcp" -d 'One TCP connection'
complete -c watchdog -n "__fish_watchdog_using_subcommand probe; and __fish_seen_subcommand_from help" -f -a "udp" -d 'Datagrams to one port, and their answers'
complete -c watchdog -n "__fish_watchdog_using_subcommand probe; and __fish_seen_subcommand_from help" -f -a "ping" -d 'ICMP echo: loss and round-trip times'
complete -c watchdog -n "__fish_watchdog_using_subcommand probe; and __fish_seen_subcommand_from help" -f -a "dns" -d 'Name servers: what they answer, how fast, and whether they agree'
complete -c watchdog -n "__fish_watchdog_using_subcommand probe; and __fish_seen_subcommand_from help" -f -a "unix" -d 'One connection to a Unix socket'
complete -c watchdog -n "__fish_watchdog_using_subcommand probe; and __fish_seen_subcommand_from help" -f -a "tls" -d 'One TLS handshake and its certificate'
complete -c watchdog -n "__fish_watchdog_using_subcommand probe; and __fish_seen_subcommand_from help" -f -a "grpc" -d 'One gRPC health check'
complete -c watchdog -n "__fish_watchdog_using_subcommand probe; and __fish_seen_subcommand_from help" -f -a "websocket" -d 'One WebSocket connection'
complete -c watchdog -n "__fish_watchdog_using_subcommand probe; and __fish_seen_subcommand_from help" -f -a "smtp" -d 'One mail server: greeting, encryption, login'
complete -c watchdog -n "__fish_watchdog_using_subcommand probe; and __fish_seen_subcommand_from help" -f -a "imap" -d 'One mailbox over IMAP'
complete -c watchdog -n "__fish_watchdog_using_subcommand probe; and __fish_seen_subcommand_from help" -f -a "ssh" -d 'One SSH server: host key, login, one command'
complete -c watchdog -n "__fish_watchdog_using_subcommand probe; and __fish_seen_subcommand_from help" -f -a "ntp" -d 'The time of one NTP server'
complete -c watchdog -n "__fish_watchdog_using_subcommand probe; and __fish_seen_subcommand_from help" -f -a "redis" -d 'One login to a Redis or Valkey server, and one command'
complete -c watchdog -n "__fish_watchdog_using_subcommand probe; and __fish_seen_subcommand_from help" -f -a "postgres" -d 'One login to a PostgreSQL server, and one query'
complete -c watchdog -n "__fish_watchdog_using_subcommand probe; and __fish_seen_subcommand_from help" -f -a "mysql" -d 'One login to a MySQL or MariaDB server, and one query'
complete -c watchdog -n "__fish_watchdog_using_subcommand probe; and __fish_seen_subcommand_from help" -f -a "mqtt" -d 'One login to an MQTT broker, and one message'
complete -c watchdog -n "__fish_watchdog_using_subcommand probe; and __fish_seen_subcommand_from help" -f -a "domain" -d 'A domain\'s registration: expiry, state, name servers'
complete -c watchdog -n "__fish_watchdog_using_subcommand probe; and __fish_seen_subcommand_from help" -f -a "file" -d 'A file, or the files of a pattern'
complete -c watchdog -n "__fish_watchdog_using_subcommand probe; and __fish_seen_subcommand_from help" -f -a "cert-file" -d 'Certificates in files: expiry, names, key'
complete -c watchdog -n "__fish_watchdog_using_subcommand probe; and __fish_seen_subcommand_from help" -f -a "docker" -d 'The containers of a Docker or Podman'
complete -c watchdog -n "__fish_watchdog_using_subcommand probe; and __fish_seen_subcommand_from help" -f -a "kubernetes" -d 'The nodes and workloads of a Kubernetes cluster'
complete -c watchdog -n "__fish_watchdog_using_subcommand probe; and __fish_seen_subcommand_from help" -f -a "script" -d 'One run of a program, judged as Nagios does'
complete -c watchdog -n "__fish_watchdog_using_subcommand probe; and __fish_seen_subcommand_from help" -f -a "host" -d 'This machine'
complete -c watchdog -n "__fish_watchdog_using_subcommand probe; and __fish_seen_subcommand_from help" -f -a "prometheus" -d 'One scrape of Prometheus metrics'
complete -c watchdog -n "__fish_watchdog_using_subcommand probe; and __fish_seen_subcommand_from help" -f -a "help" -d 'Print this message or the help of the given subcommand(s)'
complete -c watchdog -n "__fish_watchdog_using_subcommand push" -l token -d 'The monitor\'s token' -r
complete -c watchdog -n "__fish_watchdog_using_subcommand push" -l status -d 'How the job fares, when there is no COMMAND' -r -f -a "up\t'It succeeded'
down\t'It failed'
start\t'It begins'"
complete -c watchdog -n "__fish_watchdog_using_subcommand push" -l message -d 'One line to show with the monitor' -r
complete -c watchdog -n "__fish_watchdog_using_subcommand push" -l metric -d 'Something that the job measured; may be given again' -r
complete -c watchdog -n "__fish_watchdog_using_subcommand push" -s c -l config-dir -d 'Directory of the configuration [env: WATCHDOG_CONFIG_DIR] [default: . if it holds monitors.d, else ~/.config/watchdog, else /etc/watchdog]' -r -F
complete -c watchdog -n "__fish_watchdog_using_subcommand push" -l data-dir -d 'Directory of the state [env: WATCHDOG_DATA_DIR] [default: ~/.local/state/watchdog; root: /var/lib/watchdog]' -r -F
complete -c watchdog -n "__fish_watchdog_using_subcommand push" -l socket -d 'Unix socket of the server [env: WATCHDOG_SOCKET] [default: $XDG_RUNTIME_DIR/watchdog.sock, else in the data directory]' -r -F
complete -c watchdog -n "__fish_watchdog_using_subcommand push" -l color -d 'When to use colours: auto, always or never' -r -f -a "auto\t'On a terminal, unless `NO_COLOR` is set'
always\t'Always'
never\t'Never'"
complete -c watchdog -n "__fish_watchdog_using_subcommand push" -l no-log -d 'Keep the job\'s output out of the report'
complete -c watchdog -n "__fish_watchdog_using_subcommand push" -l json -d 'Print JSON'
complete -c watchdog -n "__fish_watchdog_using_subcommand push" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c watchdog -n "__fish_watchdog_using_subcommand tsdb; and not __fish_seen_subcommand_from inspect verify dump delete help" -s c -l config-dir -d 'Directory of the configuration [env: WATCHDOG_CONFIG_DIR] [default: . if it holds monitors.d, else ~/.config/watchdog, else /etc/watchdog]' -r -F
complete -c watchdog -n "__fish_watchdog_using_subcommand tsdb; and not __fish_seen_subcommand_from inspect verify dump delete help" -l data-dir -d 'Directory of the state [env: WATCHDOG_DATA_DIR] [default: ~/.local/state/watchdog; root: /var/lib/watchdog]' -r -F
complete -c watchdog -n "__fish_watchdog_using_subcommand tsdb; and not __fish_seen_subcommand_from inspect verify dump delete help" -l socket -d 'Unix socket of the server [env: WATCHDOG_SOCKET] [default: $XDG_RUNTIME_DIR/watchdog.sock, else in the data directory]' -r -F
complete -c watchdog -n "__fish_watchdog_using_subcommand tsdb; and not __fish_seen_subcommand_from inspect verify dump delete help" -l color -d 'When to use colours: auto, always or never' -r -f -a "auto\t'On a terminal, unless `NO_COLOR` is set'
always\t'Always'
never\t'Never'"
complete -c watchdog -n "__fish_watchdog_using_subcommand tsdb; and not __fish_seen_subcommand_from inspect verify dump delete help" -l json -d 'Print JSON'
complete -c watchdog -n "__fish_watchdog_using_subcommand tsdb; and not __fish_seen_subcommand_from inspect verify dump delete help" -s h -l help -d 'Print help'
complete -c watchdog -n "__fish_watchdog_using_subcommand tsdb; and not __fish_seen_subcommand_from inspect verify dump delete help" -f -a "inspect" -d 'List the files of the store and what is in them; needs no server'
complete -c watchdog -n "__fish_watchdog_using_subcommand tsdb; and not __fish_seen_subcommand_from inspect verify dump delete help" -f -a "verify" -d 'Check every file; exit code 1 when one is damaged; needs no server'
complete -c watchdog -n "__fish_watchdog_using_subcommand tsdb; and not __fish_seen_subcommand_from inspect verify dump delete help" -f -a "dump" -d 'Print the samples of series; needs no server'
complete -c watchdog -n "__fish_watchdog_using_subcommand tsdb; and not __fish_seen_subcommand_from inspect verify dump delete help" -f -a "delete" -d 'Delete samples of a running server; tells first how many series it would be'
complete -c watchdog -n "__fish_watchdog_using_subcommand tsdb; and not __fish_seen_subcommand_from inspect verify dump delete help" -f -a "help" -d 'Print this message or the help of the given subcommand(s)'
complete -c watchdog -n "__fish_watchdog_using_subcommand tsdb; and __fish_seen_subcommand_from inspect" -s c -l config-dir -d 'Directory of the configuration [env: WATCHDOG_CONFIG_DIR] [default: . if it holds monitors.d, else ~/.config/watchdog, else /etc/watchdog]' -r -F
complete -c watchdog -n "__fish_watchdog_using_subcommand tsdb; and __fish_seen_subcommand_from inspect" -l data-dir -d 'Directory of the state [env: WATCHDOG_DATA_DIR] [default: ~/.local/state/watchdog; root: /var/lib/watchdog]' -r -F
complete -c watchdog -n "__fish_watchdog_using_subcommand tsdb; and __fish_seen_subcommand_from inspect" -l socket -d 'Unix socket of the server [env: WATCHDOG_SOCKET] [default: $XDG_RUNTIME_DIR/watchdog.sock, else in the data directory]' -r -F
complete -c watchdog -n "__fish_watchdog_using_subcommand tsdb; and __fish_seen_subcommand_from inspect" -l color -d 'When to use colours: auto, always or never' -r -f -a "auto\t'On a terminal, unless `NO_COLOR` is set'
always\t'Always'
never\t'Never'"
complete -c watchdog -n "__fish_watchdog_using_subcommand tsdb; and __fish_seen_subcommand_from inspect" -l json -d 'Print JSON'
complete -c watchdog -n "__fish_watchdog_using_subcommand tsdb; and __fish_seen_subcommand_from inspect" -s h -l help -d 'Print help'
complete -c watchdog -n "__fish_watchdog_using_subcommand tsdb; and __fish_seen_subcommand_from verify" -s c -l config-dir -d 'Directory of the configuration [env: WATCHDOG_CONFIG_DIR] [default: . if it holds monitors.d, else ~/.config/watchdog, else /etc/watchdog]' -r -F
complete -c watchdog -n "__fish_watchdog_using_subcommand tsdb; and __fish_seen_subcommand_from verify" -l data-dir -d 'Directory of the state [env: WATCHDOG_DATA_DIR] [default: ~/.local/state/watchdog; root: /var/lib/watchdog]' -r -F
complete -c watchdog -n "__fish_watchdog_using_subcommand tsdb; and __fish_seen_subcommand_from verify" -l socket -d 'Unix socket of the server [env: WATCHDOG_SOCKET] [default: $XDG_RUNTIME_DIR/watchdog.sock, else in the data directory]' -r -F
complete -c watchdog -n "__fish_watchdog_using_subcommand tsdb; and __fish_seen_subcommand_from verify" -l color -d 'When to use colours: auto, always or never' -r -f -a "auto\t'On a terminal, unless `NO_COLOR` is set'
always\t'Always'
never\t'Never'"
complete -c watchdog -n "__fish_watchdog_using_subcommand tsdb; and __fish_seen_subcommand_from verify" -l json -d 'Print JSON'
complete -c watchdog -n "__fish_watchdog_using_subcommand tsdb; and __fish_seen_subcommand_from verify" -s h -l help -d 'Print help'
complete -c watchdog -n "__fish_watchdog_using_subcommand tsdb; and __fish_seen_subcommand_from dump" -l start -d 'Only samples from this time on: RFC 3339, Unix seconds, `now-1h` or `-1h`' -r
complete -c watchdog -n "__fish_watchdog_using_subcommand tsdb; and __fish_seen_subcommand_from dump" -l end -d 'Only samples up to this time' -r
complete -c watchdog -n "__fish_watchdog_using_subcommand tsdb; and __fish_seen_subcommand_from dump" -l resolution -d 'Samples as written, or roll-ups' -r -f -a "raw\t'As written'
5m\t'The last value of every five minutes'
1h\t'The last value of every hour'"
complete -c watchdog -n "__fish_watchdog_using_subcommand tsdb; and __fish_seen_subcommand_from dump" -s c -l config-dir -d 'Directory of the configuration [env: WATCHDOG_CONFIG_DIR] [default: . if it holds monitors.d, else ~/.config/watchdog, else /etc/watchdog]' -r -F
complete -c watchdog -n "__fish_watchdog_using_subcommand tsdb; and __fish_seen_subcommand_from dump" -l data-dir -d 'Directory of the state [env: WATCHDOG_DATA_DIR] [default: ~/.local/state/watchdog; root: /var/lib/watchdog]' -r -F
complete -c watchdog -n "__fish_watchdog_using_subcommand tsdb; and __fish_seen_subcommand_from dump" -l socket -d 'Unix socket of the server [env: WATCHDOG_SOCKET] [default: $XDG_RUNTIME_DIR/watchdog.sock, else in the data directory]' -r -F
complete -c watchdog -n "__fish_watchdog_using_subcommand tsdb; and __fish_seen_subcommand_from dump" -l color -d 'When to use colours: auto, always or never' -r -f -a "auto\t'On a terminal, unless `NO_COLOR` is set'
always\t'Always'
never\t'Never'"
complete -c watchdog -n "__fish_watchdog_using_subcommand tsdb; and __fish_seen_subcommand_from dump" -l json -d 'Print JSON'
complete -c watchdog -n "__fish_watchdog_using_subcommand tsdb; and __fish_seen_subcommand_from dump" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c watchdog -n "__fish_watchdog_using_subcommand tsdb; and __fish_seen_subcommand_from delete" -l start -d 'Only samples from this time on: RFC 3339, Unix seconds, `now-1h` or `-1h`' -r
complete -c watchdog -n "__fish_watchdog_using_subcommand tsdb; and __fish_seen_subcommand_from delete" -l end -d 'Only samples up to this time' -r
complete -c watchdog -n "__fish_watchdog_using_subcommand tsdb; and __fish_seen_subcommand_from delete" -s c -l config-dir -d 'Directory of the configuration [env: WATCHDOG_CONFIG_DIR] [default: . if it holds monitors.d, else ~/.config/watchdog, else /etc/watchdog]' -r -F
complete -c watchdog -n "__fish_watchdog_using_subcommand tsdb; and __fish_seen_subcommand_from delete" -l data-dir -d 'Directory of the state [env: WATCHDOG_DATA_DIR] [default: ~/.local/state/watchdog; root: /var/lib/watchdog]' -r -F
complete -c watchdog -n "__fish_watchdog_using_subcommand tsdb; and __fish_seen_subcommand_from delete" -l socket -d 'Unix socket of the server [env: WATCHDOG_SOCKET] [default: $XDG_RUNTIME_DIR/watchdog.sock, else in the data directory]' -r -F
complete -c watchdog -n "__fish_watchdog_using_subcommand tsdb; and __fish_seen_subcommand_from delete" -l color -d 'When to use colours: auto, always or never' -r -f -a "auto\t'On a terminal, unless `NO_COLOR` is set'
always\t'Always'
never\t'Never'"
complete -c watchdog -n "__fish_watchdog_using_subcommand tsdb; and __fish_seen_subcommand_from delete" -l yes -d 'Delete, instead of telling what would be deleted'
complete -c watchdog -n "__fish_watchdog_using_subcommand tsdb; and __fish_seen_subcommand_from delete" -l json -d 'Print JSON'
complete -c watchdog -n "__fish_watchdog_using_subcommand tsdb; and __fish_seen_subcommand_from delete" -s h -l help -d 'Print help'
complete -c watchdog -n "__fish_watchdog_using_subcommand tsdb; and __fish_seen_subcommand_from help" -f -a "inspect" -d 'List the files of the store and what is in them; needs no server'
complete -c watchdog -n "__fish_watchdog_using_subcommand tsdb; and __fish_seen_subcommand_from help" -f -a "verify" -d 'Check every file; exit code 1 when one is damaged; needs no server'
complete -c watchdog -n "__fish_watchdog_using_subcommand tsdb; and __fish_seen_subcommand_from help" -f -a "dump" -d 'Print the samples of series; needs no server'
complete -c watchdog -n "__fish_watchdog_using_subcommand tsdb; and __fish_seen_subcommand_from help" -f -a "delete" -d 'Delete samples of a running server; tells first how many series it would be'
complete -c watchdog -n "__fish_watchdog_using_subcommand tsdb; and __fish_seen_subcommand_from help" -f -a "help" -d 'Print this message or the help of the given subcommand(s)'
complete -c watchdog -n "__fish_watchdog_using_subcommand completions" -l dir -d 'Write those of bash, zsh and fish into this directory' -r -F
complete -c watchdog -n "__fish_watchdog_using_subcommand completions" -s c -l config-dir -d 'Directory of the configuration [env: WATCHDOG_CONFIG_DIR] [default: . if it holds monitors.d, else ~/.config/watchdog, else /etc/watchdog]' -r -F
complete -c watchdog -n "__fish_watchdog_using_subcommand completions" -l data-dir -d 'Directory of the state [env: WATCHDOG_DATA_DIR] [default: ~/.local/state/watchdog; root: /var/lib/watchdog]' -r -F
complete -c watchdog -n "__fish_watchdog_using_subcommand completions" -l socket -d 'Unix socket of the server [env: WATCHDOG_SOCKET] [default: $XDG_RUNTIME_DIR/watchdog.sock, else in the data directory]' -r -F
complete -c watchdog -n "__fish_watchdog_using_subcommand completions" -l color -d 'When to use colours: auto, always or never' -r -f -a "auto\t'On a terminal, unless `NO_COLOR` is set'
always\t'Always'
never\t'Never'"
complete -c watchdog -n "__fish_watchdog_using_subcommand completions" -l json -d 'Print JSON'
complete -c watchdog -n "__fish_watchdog_using_subcommand completions" -s h -l help -d 'Print help'
complete -c watchdog -n "__fish_watchdog_using_subcommand man" -l dir -d 'Write the pages of all commands into this directory' -r -F
complete -c watchdog -n "__fish_watchdog_using_subcommand man" -s c -l config-dir -d 'Directory of the configuration [env: WATCHDOG_CONFIG_DIR] [default: . if it holds monitors.d, else ~/.config/watchdog, else /etc/watchdog]' -r -F
complete -c watchdog -n "__fish_watchdog_using_subcommand man" -l data-dir -d 'Directory of the state [env: WATCHDOG_DATA_DIR] [default: ~/.local/state/watchdog; root: /var/lib/watchdog]' -r -F
complete -c watchdog -n "__fish_watchdog_using_subcommand man" -l socket -d 'Unix socket of the server [env: WATCHDOG_SOCKET] [default: $XDG_RUNTIME_DIR/watchdog.sock, else in the data directory]' -r -F
complete -c watchdog -n "__fish_watchdog_using_subcommand man" -l color -d 'When to use colours: auto, always or never' -r -f -a "auto\t'On a terminal, unless `NO_COLOR` is set'
always\t'Always'
never\t'Never'"
complete -c watchdog -n "__fish_watchdog_using_subcommand man" -l json -d 'Print JSON'
complete -c watchdog -n "__fish_watchdog_using_subcommand man" -s h -l help -d 'Print help'
complete -c watchdog -n "__fish_watchdog_using_subcommand help; and not __fish_seen_subcommand_from serve tui init check reload status monitor alert rule why silence maintenance notify drill query sla probe push tsdb completions man help" -f -a "serve" -d 'Run the engine and its API; needs no terminal'
complete -c watchdog -n "__fish_watchdog_using_subcommand help; and not __fish_seen_subcommand_from serve tui init check reload status monitor alert rule why silence maintenance notify drill query sla probe push tsdb completions man help" -f -a "tui" -d 'Show the terminal interface of a running server'
complete -c watchdog -n "__fish_watchdog_using_subcommand help; and not __fish_seen_subcommand_from serve tui init check reload status monitor alert rule why silence maintenance notify drill query sla probe push tsdb completions man help" -f -a "init" -d 'Write a starter configuration that watches this machine'
complete -c watchdog -n "__fish_watchdog_using_subcommand help; and not __fish_seen_subcommand_from serve tui init check reload status monitor alert rule why silence maintenance notify drill query sla probe push tsdb completions man help" -f -a "check" -d 'Check the configuration and list every mistake with its place; needs no server'
complete -c watchdog -n "__fish_watchdog_using_subcommand help; and not __fish_seen_subcommand_from serve tui init check reload status monitor alert rule why silence maintenance notify drill query sla probe push tsdb completions man help" -f -a "reload" -d 'Load the configuration directory now'
complete -c watchdog -n "__fish_watchdog_using_subcommand help; and not __fish_seen_subcommand_from serve tui init check reload status monitor alert rule why silence maintenance notify drill query sla probe push tsdb completions man help" -f -a "status" -d 'Tell how everything is; exit code 1 when a monitor is down'
complete -c watchdog -n "__fish_watchdog_using_subcommand help; and not __fish_seen_subcommand_from serve tui init check reload status monitor alert rule why silence maintenance notify drill query sla probe push tsdb completions man help" -f -a "monitor" -d 'Look at monitors, or probe one now'
complete -c watchdog -n "__fish_watchdog_using_subcommand help; and not __fish_seen_subcommand_from serve tui init check reload status monitor alert rule why silence maintenance notify drill query sla probe push tsdb completions man help" -f -a "alert" -d 'Look at alerts, and say that you have one'
complete -c watchdog -n "__fish_watchdog_using_subcommand help; and not __fish_seen_subcommand_from serve tui init check reload status monitor alert rule why silence maintenance notify drill query sla probe push tsdb completions man help" -f -a "rule" -d 'Look at rules, or evaluate one'
complete -c watchdog -n "__fish_watchdog_using_subcommand help; and not __fish_seen_subcommand_from serve tui init check reload status monitor alert rule why silence maintenance notify drill query sla probe push tsdb completions man help" -f -a "why" -d 'Tell why somebody was told of something, or why not; exit code 1 when not'
complete -c watchdog -n "__fish_watchdog_using_subcommand help; and not __fish_seen_subcommand_from serve tui init check reload status monitor alert rule why silence maintenance notify drill query sla probe push tsdb completions man help" -f -a "silence" -d 'Keep alerts from being told for a while'
complete -c watchdog -n "__fish_watchdog_using_subcommand help; and not __fish_seen_subcommand_from serve tui init check reload status monitor alert rule why silence maintenance notify drill query sla probe push tsdb completions man help" -f -a "maintenance" -d 'Look at maintenance windows'
complete -c watchdog -n "__fish_watchdog_using_subcommand help; and not __fish_seen_subcommand_from serve tui init check reload status monitor alert rule why silence maintenance notify drill query sla probe push tsdb completions man help" -f -a "notify" -d 'Look at notifiers and what they were sent, test them, send again'
complete -c watchdog -n "__fish_watchdog_using_subcommand help; and not __fish_seen_subcommand_from serve tui init check reload status monitor alert rule why silence maintenance notify drill query sla probe push tsdb completions man help" -f -a "drill" -d 'Send a marked alert the whole way, and tell when each notifier took it'
complete -c watchdog -n "__fish_watchdog_using_subcommand help; and not __fish_seen_subcommand_from serve tui init check reload status monitor alert rule why silence maintenance notify drill query sla probe push tsdb completions man help" -f -a "query" -d 'Ask for metrics in PromQL: now, at a time, or over a range'
complete -c watchdog -n "__fish_watchdog_using_subcommand help; and not __fish_seen_subcommand_from serve tui init check reload status monitor alert rule why silence maintenance notify drill query sla probe push tsdb completions man help" -f -a "sla" -d 'Report how available monitors were'
complete -c watchdog -n "__fish_watchdog_using_subcommand help; and not __fish_seen_subcommand_from serve tui init check reload status monitor alert rule why silence maintenance notify drill query sla probe push tsdb completions man help" -f -a "probe" -d 'Probe a target once, without a server and without files'
complete -c watchdog -n "__fish_watchdog_using_subcommand help; and not __fish_seen_subcommand_from serve tui init check reload status monitor alert rule why silence maintenance notify drill query sla probe push tsdb completions man help" -f -a "push" -d 'Tell a heartbeat monitor how a job fares, or run the job and tell it all'
complete -c watchdog -n "__fish_watchdog_using_subcommand help; and not __fish_seen_subcommand_from serve tui init check reload status monitor alert rule why silence maintenance notify drill query sla probe push tsdb completions man help" -f -a "tsdb" -d 'Look at the store of samples, or delete from it'
complete -c watchdog -n "__fish_watchdog_using_subcommand help; and not __fish_seen_subcommand_from serve tui init check reload status monitor alert rule why silence maintenance notify drill query sla probe push tsdb completions man help" -f -a "completions" -d 'Print the completions of a shell'
complete -c watchdog -n "__fish_watchdog_using_subcommand help; and not __fish_seen_subcommand_from serve tui init check reload status monitor alert rule why silence maintenance notify drill query sla probe push tsdb completions man help" -f -a "man" -d 'Print the manual page, or write all pages'
complete -c watchdog -n "__fish_watchdog_using_subcommand help; and not __fish_seen_subcommand_from serve tui init check reload status monitor alert rule why silence maintenance notify drill query sla probe push tsdb completions man help" -f -a "help" -d 'Print this message or the help of the given subcommand(s)'
complete -c watchdog -n "__fish_watchdog_using_subcommand help; and __fish_seen_subcommand_from tui" -f -a "explore" -d 'Open the chart of a query in PromQL'
complete -c watchdog -n "__fish_watchdog_using_subcommand help; and __fish_seen_subcommand_from monitor" -f -a "list" -d 'List monitors, the broken ones first'
complete -c watchdog -n "__fish_watchdog_using_subcommand help; and __fish_seen_subcommand_from monitor" -f -a "show" -d 'Show everything about one monitor; exit code 1 when it is down'
complete -c watchdog -n "__fish_watchdog_using_subcommand help; and __fish_seen_subcommand_from monitor" -f -a "run" -d 'Probe a monitor now, outside its schedule; exit code 1 when the probe fails'
complete -c watchdog -n "__fish_watchdog_using_subcommand help; and __fish_seen_subcommand_from monitor" -f -a "history" -d 'List the kept results of a monitor, newest last'
complete -c watchdog -n "__fish_watchdog_using_subcommand help; and __fish_seen_subcommand_from alert" -f -a "list" -d 'List pending, firing and recently resolved alerts'
complete -c watchdog -n "__fish_watchdog_using_subcommand help; and __fish_seen_subcommand_from alert" -f -a "show" -d 'Show everything about one alert; exit code 1 while it fires'
complete -c watchdog -n "__fish_watchdog_using_subcommand help; and __fish_seen_subcommand_from alert" -f -a "ack" -d 'Say that you have it: escalation and repeats pause'
complete -c watchdog -n "__fish_watchdog_using_subcommand help; and __fish_seen_subcommand_from alert" -f -a "unack" -d 'Take an acknowledgement back'
complete -c watchdog -n "__fish_watchdog_using_subcommand help; and __fish_seen_subcommand_from alert" -f -a "history" -d 'List what happened to alerts, newest last'
complete -c watchdog -n "__fish_watchdog_using_subcommand help; and __fish_seen_subcommand_from rule" -f -a "list" -d 'List the rules with their last values'
complete -c watchdog -n "__fish_watchdog_using_subcommand help; and __fish_seen_subcommand_from rule" -f -a "eval" -d 'Evaluate a rule now, or at another time, and show what it gives; changes nothing'
complete -c watchdog -n "__fish_watchdog_using_subcommand help; and __fish_seen_subcommand_from silence" -f -a "add" -d 'Make a silence: shows what it hides, asks, and prints its id'
complete -c watchdog -n "__fish_watchdog_using_subcommand help; and __fish_seen_subcommand_from silence" -f -a "list" -d 'List silences'
complete -c watchdog -n "__fish_watchdog_using_subcommand help; and __fish_seen_subcommand_from silence" -f -a "expire" -d 'End silences now'
complete -c watchdog -n "__fish_watchdog_using_subcommand help; and __fish_seen_subcommand_from silence" -f -a "extend" -d 'Let a silence last longer'
complete -c watchdog -n "__fish_watchdog_using_subcommand help; and __fish_seen_subcommand_from silence" -f -a "preview" -d 'Show what a silence would hide, without making it'
complete -c watchdog -n "__fish_watchdog_using_subcommand help; and __fish_seen_subcommand_from maintenance" -f -a "list" -d 'List the windows of the files, the open ones first'
complete -c watchdog -n "__fish_watchdog_using_subcommand help; and __fish_seen_subcommand_from maintenance" -f -a "next" -d 'List what is under way and what is to come, in order of time'
complete -c watchdog -n "__fish_watchdog_using_subcommand help; and __fish_seen_subcommand_from notify" -f -a "list" -d 'List the notifiers and how they do'
complete -c watchdog -n "__fish_watchdog_using_subcommand help; and __fish_seen_subcommand_from notify" -f -a "log" -d 'List what was said to whom, newest last'
complete -c watchdog -n "__fish_watchdog_using_subcommand help; and __fish_seen_subcommand_from notify" -f -a "resend" -d 'Say once more what a notification of the log said'
complete -c watchdog -n "__fish_watchdog_using_subcommand help; and __fish_seen_subcommand_from notify" -f -a "test" -d 'Send a test message through a notifier; exit code 1 when it is not taken'
complete -c watchdog -n "__fish_watchdog_using_subcommand help; and __fish_seen_subcommand_from notify" -f -a "routes" -d 'Show the tree of routes, or where an alert with certain labels goes'
complete -c watchdog -n "__fish_watchdog_using_subcommand help; and __fish_seen_subcommand_from sla" -f -a "report" -d 'Tell how available monitors were, and what is left of their error budgets; exit code 1 when one missed its objective'
complete -c watchdog -n "__fish_watchdog_using_subcommand help; and __fish_seen_subcommand_from probe" -f -a "http" -d 'One HTTP request, or several steps'
complete -c watchdog -n "__fish_watchdog_using_subcommand help; and __fish_seen_subcommand_from probe" -f -a "tcp" -d 'One TCP connection'
complete -c watchdog -n "__fish_watchdog_using_subcommand help; and __fish_seen_subcommand_from probe" -f -a "udp" -d 'Datagrams to one port, and their answers'
complete -c watchdog -n "__fish_watchdog_using_subcommand help; and __fish_seen_subcommand_from probe" -f -a "ping" -d 'ICMP echo: loss and round-trip times'
complete -c watchdog -n "__fish_watchdog_using_subcommand help; and __fish_seen_subcommand_from probe" -f -a "dns" -d 'Name servers: what they answer, how fast, and whether they agree'
complete -c watchdog -n "__fish_watchdog_using_subcommand help; and __fish_seen_subcommand_from probe" -f -a "unix" -d 'One connection to a Unix socket'
complete -c watchdog -n "__fish_watchdog_using_subcommand help; and __fish_seen_subcommand_from probe" -f -a "tls" -d 'One TLS handshake and its certificate'
complete -c watchdog -n "__fish_watchdog_using_subcommand help; and __fish_seen_subcommand_from probe" -f -a "grpc" -d 'One gRPC health check'
complete -c watchdog -n "__fish_watchdog_using_subcommand help; and __fish_seen_subcommand_from probe" -f -a "websocket" -d 'One WebSocket connection'
complete -c watchdog -n "__fish_watchdog_using_subcommand help; and __fish_seen_subcommand_from probe" -f -a "smtp" -d 'One mail server: greeting, encryption, login'
complete -c watchdog -n "__fish_watchdog_using_subcommand help; and __fish_seen_subcommand_from probe" -f -a "imap" -d 'One mailbox over IMAP'
complete -c watchdog -n "__fish_watchdog_using_subcommand help; and __fish_seen_subcommand_from probe" -f -a "ssh" -d 'One SSH server: host key, login, one command'
complete -c watchdog -n "__fish_watchdog_using_subcommand help; and __fish_seen_subcommand_from probe" -f -a "ntp" -d 'The time of one NTP server'
complete -c watchdog -n "__fish_watchdog_using_subcommand help; and __fish_seen_subcommand_from probe" -f -a "redis" -d 'One login to a Redis or Valkey server, and one command'
complete -c watchdog -n "__fish_watchdog_using_subcommand help; and __fish_seen_subcommand_from probe" -f -a "postgres" -d 'One login to a PostgreSQL server, and one query'
complete -c watchdog -n "__fish_watchdog_using_subcommand help; and __fish_seen_subcommand_from probe" -f -a "mysql" -d 'One login to a MySQL or MariaDB server, and one query'
complete -c watchdog -n "__fish_watchdog_using_subcommand help; and __fish_seen_subcommand_from probe" -f -a "mqtt" -d 'One login to an MQTT broker, and one message'
complete -c watchdog -n "__fish_watchdog_using_subcommand help; and __fish_seen_subcommand_from probe" -f -a "domain" -d 'A domain\'s registration: expiry, state, name servers'
complete -c watchdog -n "__fish_watchdog_using_subcommand help; and __fish_seen_subcommand_from probe" -f -a "file" -d 'A file, or the files of a pattern'
complete -c watchdog -n "__fish_watchdog_using_subcommand help; and __fish_seen_subcommand_from probe" -f -a "cert-file" -d 'Certificates in files: expiry, names, key'
complete -c watchdog -n "__fish_watchdog_using_subcommand help; and __fish_seen_subcommand_from probe" -f -a "docker" -d 'The containers of a Docker or Podman'
complete -c watchdog -n "__fish_watchdog_using_subcommand help; and __fish_seen_subcommand_from probe" -f -a "kubernetes" -d 'The nodes and workloads of a Kubernetes cluster'
complete -c watchdog -n "__fish_watchdog_using_subcommand help; and __fish_seen_subcommand_from probe" -f -a "script" -d 'One run of a program, judged as Nagios does'
complete -c watchdog -n "__fish_watchdog_using_subcommand help; and __fish_seen_subcommand_from probe" -f -a "host" -d 'This machine'
complete -c watchdog -n "__fish_watchdog_using_subcommand help; and __fish_seen_subcommand_from probe" -f -a "prometheus" -d 'One scrape of Prometheus metrics'
complete -c watchdog -n "__fish_watchdog_using_subcommand help; and __fish_seen_subcommand_from tsdb" -f -a "inspect" -d 'List the files of the store and what is in them; needs no server'
complete -c watchdog -n "__fish_watchdog_using_subcommand help; and __fish_seen_subcommand_from tsdb" -f -a "verify" -d 'Check every file; exit code 1 when one is damaged; needs no server'
complete -c watchdog -n "__fish_watchdog_using_subcommand help; and __fish_seen_subcommand_from tsdb" -f -a "dump" -d 'Print the samples of series; needs no server'
complete -c watchdog -n "__fish_watchdog_using_subcommand help; and __fish_seen_subcommand_from tsdb" -f -a "delete" -d 'Delete samples of a running server; tells first how many series it would be'
