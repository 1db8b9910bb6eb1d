//! Arguments → exit code.

use std::process::ExitCode;

fn main() -> ExitCode {
    #[expect(
        clippy::disallowed_methods,
        reason = "main is who reads the environment"
    )]
    let env = |name: &str| std::env::var(name).ok();
    refgate::cli::main(std::env::args_os(), &env)
}
