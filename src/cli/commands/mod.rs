//! The table of commands: one file each, one row here.

pub mod alert;
pub mod check;
pub mod completions;
pub mod drill;
pub mod init;
pub mod maintenance;
pub mod man;
pub mod monitor;
pub mod notify;
pub mod probe;
pub mod push;
pub mod query;
pub mod reload;
pub mod rule;
pub mod serve;
pub mod silence;
pub mod sla;
pub mod status;
pub mod tsdb;
pub mod tui;
pub mod why;

use std::net::SocketAddr;

use clap::{Parser, Subcommand};

use crate::cli::connect;
use crate::cli::settings::Global;
use crate::cli::ui::Ui;
use crate::cli::{Context, Done};
use crate::engine::kinds::Kinds;

/// Watches services from YAML files, tells people when they break, and shows it live in the terminal
///
/// Without a command it shows the terminal interface; if no server answers at the socket, it starts
/// one inside the same process.
#[derive(Debug, Parser)]
#[command(name = "watchdog", version, max_term_width = 100, after_help = EXIT_CODES)]
pub struct Cli {
    /// Flags of every command.
    #[command(flatten)]
    pub global: Global,
    /// What to do.
    #[command(subcommand)]
    pub command: Option<Command>,
}

const EXIT_CODES: &str = "\
Exit codes: 0 done, 1 what was asked about is bad, 2 wrong usage, 3 no server at the socket,
70 a fault of Watchdog or the system, 73 the data directory or socket is in use, 78 configuration refused";

/// All commands.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Run the engine and its API; needs no terminal
    Serve(serve::ServeArgs),
    /// Show the terminal interface of a running server
    Tui(tui::TuiArgs),
    /// Write a starter configuration that watches this machine
    Init(init::InitArgs),
    /// Check the configuration and list every mistake with its place; needs no server
    Check(check::CheckArgs),
    /// Load the configuration directory now
    Reload(reload::ReloadArgs),
    /// Tell how everything is; exit code 1 when a monitor is down
    Status(status::StatusArgs),
    /// Look at monitors, or probe one now
    #[command(subcommand)]
    Monitor(monitor::MonitorCommand),
    /// Look at alerts, and say that you have one
    #[command(subcommand)]
    Alert(alert::AlertCommand),
    /// Look at rules, or evaluate one
    #[command(subcommand)]
    Rule(rule::RuleCommand),
    /// Tell why somebody was told of something, or why not; exit code 1 when not
    Why(why::WhyArgs),
    /// Keep alerts from being told for a while
    #[command(subcommand)]
    Silence(silence::SilenceCommand),
    /// Look at maintenance windows
    #[command(subcommand)]
    Maintenance(maintenance::MaintenanceCommand),
    /// Look at notifiers and what they were sent, test them, send again
    #[command(subcommand)]
    Notify(notify::NotifyCommand),
    /// Send a marked alert the whole way, and tell when each notifier took it
    Drill(drill::DrillArgs),
    /// Ask for metrics in PromQL: now, at a time, or over a range
    Query(query::QueryArgs),
    /// Report how available monitors were
    #[command(subcommand)]
    Sla(sla::SlaCommand),
    /// Probe a target once, without a server and without files
    Probe(Box<probe::ProbeArgs>),
    /// Tell a heartbeat monitor how a job fares, or run the job and tell it all
    Push(push::PushArgs),
    /// Look at the store of samples, or delete from it
    #[command(subcommand)]
    Tsdb(tsdb::TsdbCommand),
    /// Print the completions of a shell
    Completions(completions::CompletionsArgs),
    /// Print the manual page, or write all pages
    Man(man::ManArgs),
}

impl Cli {
    /// The address given with `--listen`, for commands that listen.
    pub fn listen(&self) -> Option<SocketAddr> {
        if let Some(Command::Serve(args)) = &self.command { args.listen } else { None }
    }
}

/// Runs a command.
///
/// # Errors
/// What a person should be told; its kind decides the exit code.
pub fn run(command: Option<Command>, ui: &mut Ui, cx: &Context) -> Done {
    match command {
        None => tui::run_bare(ui, cx),
        Some(Command::Serve(args)) => serve::run(&args, ui, cx),
        Some(Command::Tui(args)) => tui::run(&args, ui, cx),
        Some(Command::Init(args)) => init::run(&args, ui.look(), ui.stdout()),
        Some(Command::Check(args)) => check::run(&args, &cx.settings.config_dir, &Kinds, ui.look(), ui.stdout()),
        Some(Command::Probe(args)) => connect::block_on(probe::run(&args, ui.look(), ui.stdout())),
        Some(Command::Push(args)) => push::run(&args, ui, cx),
        Some(Command::Reload(args)) => reload::run(&args, ui, cx),
        Some(Command::Status(args)) => status::run(&args, ui, cx),
        Some(Command::Monitor(command)) => monitor::run(&command, ui, cx),
        Some(Command::Alert(command)) => alert::run(&command, ui, cx),
        Some(Command::Rule(command)) => rule::run(&command, ui, cx),
        Some(Command::Why(args)) => why::run(&args, ui, cx),
        Some(Command::Silence(command)) => silence::run(&command, ui, cx),
        Some(Command::Maintenance(command)) => maintenance::run(&command, ui, cx),
        Some(Command::Notify(command)) => notify::run(&command, ui, cx),
        Some(Command::Drill(args)) => drill::run(&args, ui, cx),
        Some(Command::Query(args)) => query::run(&args, ui, cx),
        Some(Command::Sla(command)) => sla::run(&command, ui, cx),
        Some(Command::Tsdb(command)) => tsdb::run(&command, ui, cx),
        Some(Command::Completions(args)) => completions::run(&args, ui),
        Some(Command::Man(args)) => man::run(&args, ui),
    }
}
