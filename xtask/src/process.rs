//! Running other programs: said before, checked after.

use std::{
    io::Read,
    process::{Child, Command, Stdio},
    time::{Duration, Instant},
};

use anyhow::{Context, Result, ensure};

/// Runs a program to its end, showing its command line and its output.
///
/// # Errors
/// When it cannot be started or does not exit with 0.
pub fn run(command: &mut Command) -> Result<()> {
    let line = shown(command);
    eprintln!("$ {line}");
    let status = command.status().with_context(|| format!("could not start `{line}`"))?;
    ensure!(status.success(), "`{line}` failed ({status}); its message is above");
    Ok(())
}

/// Runs a program to its end, showing its output only.
///
/// # Errors
/// When it cannot be started or does not exit with 0.
pub fn follow(command: &mut Command) -> Result<()> {
    let program = command.get_program().to_string_lossy().into_owned();
    let status = command.status().with_context(|| format!("could not start `{program}`"))?;
    ensure!(status.success(), "`{program}` failed ({status}); its message is above");
    Ok(())
}

/// Runs a program to its end, quietly, and gives back what it printed.
///
/// # Errors
/// When it cannot be started or does not exit with 0; tells what it wrote to stderr.
pub fn output(command: &mut Command) -> Result<String> {
    let line = shown(command);
    let output = command.output().with_context(|| format!("could not start `{line}`"))?;
    let complaint = String::from_utf8_lossy(&output.stderr);
    ensure!(output.status.success(), "`{line}` failed ({}):\n{complaint}", output.status);
    Ok(String::from_utf8_lossy(&output.stdout).trim_end().to_owned())
}

/// True when a program can be started and exits with 0.
pub fn works(command: &mut Command) -> bool {
    let quiet = command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
    quiet.status().is_ok_and(|status| status.success())
}

/// What a run cost.
pub struct Cost {
    /// Wall-clock time.
    pub time: Duration,
    /// Peak resident memory in bytes; 0 where the system does not tell.
    pub memory: u64,
}

/// Runs a program to its end with its output hidden, and measures it.
///
/// # Errors
/// When it cannot be started or does not exit with 0.
pub fn measure(command: &mut Command) -> Result<Cost> {
    watch(command.stdout(Stdio::null())).map(|(cost, _)| cost)
}

/// Runs a program to its end, measures it and gives back the little that it said on standard error.
///
/// # Errors
/// When it cannot be started, does not exit with 0 or says what is no text.
pub fn measure_talk(command: &mut Command) -> Result<(Cost, String)> {
    let (cost, mut child) = watch(command.stdout(Stdio::null()).stderr(Stdio::piped()))?;
    let mut text = String::new();
    if let Some(talk) = &mut child.stderr {
        talk.read_to_string(&mut text)?;
    }
    Ok((cost, text))
}

/// Runs a program to its end, measures it and gives back the little that it printed.
///
/// # Errors
/// When it cannot be started, does not exit with 0 or prints what is no text.
pub fn measure_output(command: &mut Command) -> Result<(Cost, String)> {
    let (cost, mut child) = watch(command.stdout(Stdio::piped()))?;
    let mut text = String::new();
    if let Some(output) = &mut child.stdout {
        output.read_to_string(&mut text)?;
    }
    Ok((cost, text))
}

fn watch(command: &mut Command) -> Result<(Cost, Child)> {
    let line = shown(command);
    let start = Instant::now();
    let mut child = command.spawn().with_context(|| format!("could not start `{line}`"))?;
    let mut memory = 0;
    let status = loop {
        memory = memory.max(peak_memory(child.id()).unwrap_or(0));
        if let Some(status) = child.try_wait()? {
            break status;
        }
        std::thread::sleep(Duration::from_millis(10));
    };
    ensure!(status.success(), "`{line}` failed ({status}); its message is above");
    Ok((Cost { time: start.elapsed(), memory }, child))
}

fn peak_memory(process: u32) -> Option<u64> {
    let status = std::fs::read_to_string(format!("/proc/{process}/status")).ok()?;
    let line = status.lines().find(|line| line.starts_with("VmHWM:"))?;
    let kib: u64 = line.split_whitespace().nth(1)?.parse().ok()?;
    Some(kib * 1024)
}

/// The command line as one would type it.
fn shown(command: &Command) -> String {
    let words = std::iter::once(command.get_program()).chain(command.get_args());
    let quoted = words.map(|word| {
        let word = word.to_string_lossy();
        let plain =
            !word.is_empty() && !word.contains(|c: char| c.is_whitespace() || "'\"$".contains(c));
        if plain { word.into_owned() } else { format!("{word:?}") }
    });
    quoted.collect::<Vec<_>>().join(" ")
}
