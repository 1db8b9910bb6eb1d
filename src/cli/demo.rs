//! `refgate demo`: the whole of it on this machine.

use std::io::{self, Write};
use std::path::Path;
use std::thread;

use tokio::runtime;
use tokio::sync::oneshot;

use super::run::told_to_end;
use super::{Environment, log};
use crate::clock::Time;
use crate::demo::network::Call;
use crate::demo::purchase;
use crate::demo::scene::{self, Scene};

/// How the demo runs.
#[derive(Clone, Debug, clap::Args)]
pub struct Args {
    /// Buy by itself; succeed only if the network got exactly one right postback
    #[arg(long)]
    once: bool,
}

/// Why the demo did not do what was asked.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// `--log` cannot be understood.
    #[error(transparent)]
    Log(#[from] log::Error),
    /// There is no scene.
    #[error(transparent)]
    Scene(#[from] scene::Error),
    /// The purchase, or what came of it, was not right.
    #[error(transparent)]
    Purchase(#[from] purchase::Error),
    /// Ended before the purchase was done.
    #[error("ended before the purchase was done")]
    Ended,
    /// Nobody reads.
    #[error("cannot write")]
    Write(#[from] io::Error),
}

/// Sets the scene and plays until Ctrl-C, or until one purchase is done.
///
/// # Errors
/// There is no scene, or the one purchase was not right.
pub(super) fn run(
    args: &Args,
    (config, filter): (Option<&Path>, &str),
    env: Environment<'_>,
    out: &mut dyn Write,
) -> Result<(), Error> {
    let log = log::start(log::Format::Plain, filter)?;
    let scene = Scene::set(config, env, Time::now())?;
    if args.once {
        let call = once(scene)?;
        // What happened comes before what came of it.
        drop(log);
        writeln!(
            out,
            "The network got exactly one right postback: GET {}",
            call.target
        )?;
        return Ok(());
    }
    writeln!(
        out,
        "A shop, a network, and refgate between them. Click a link, buy something, watch:"
    )?;
    for front in &scene.fronts {
        for link in scene.links(front)? {
            writeln!(out, "  {link}   (store {}, {})", front.name, front.currency)?;
        }
    }
    if let Some(config) = scene.config() {
        let config = config.display();
        writeln!(
            out,
            "Meanwhile, elsewhere: refgate --config {config} orders"
        )?;
    }
    writeln!(out, "Ctrl-C ends it.\n")?;
    out.flush()?;
    scene.play(told_to_end())?;
    drop(log);
    writeln!(out, "The end.")?;
    Ok(())
}

/// One purchase, and the call that came of it.
fn once(scene: Scene) -> Result<Call, Error> {
    let front = scene.fronts.first().ok_or(Error::Ended)?;
    let link = scene.links(front)?.into_iter().next().ok_or(Error::Ended)?;
    let (shop, network) = (scene.shop.clone(), scene.network.clone());
    let (done, ended) = oneshot::channel::<()>();
    let shopping = {
        let (shop, network) = (shop.clone(), network.clone());
        thread::Builder::new()
            .name("shopper".to_owned())
            .spawn(move || {
                let runtime = runtime::Builder::new_current_thread()
                    .enable_all()
                    .build()?;
                let bought = runtime.block_on(purchase::buy(link, &shop, &network));
                drop(done);
                Ok::<_, io::Error>(bought)
            })?
    };
    let (told, signalled) = oneshot::channel();
    scene.play(async {
        tokio::select! {
            () = told_to_end() => drop(told.send(())),
            _dropped = ended => {}
        }
    })?;
    if signalled.blocking_recv().is_ok() && !shopping.is_finished() {
        return Err(Error::Ended);
    }
    let bought = shopping.join().map_err(|_panic| Error::Ended)??;
    Ok(bought?.compare(&shop, &network)?)
}
