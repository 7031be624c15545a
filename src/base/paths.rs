//! Where a platform wants a program to keep its files.

use std::{ffi::OsString, path::PathBuf};

/// The variable that puts all settings into a folder of one's own choice.
pub const CONFIG_DIR_VARIABLE: &str = "STYLESCOPE_CONFIG_DIR";

/// The platforms with rules of their own.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Platform {
    /// Linux and other systems that follow the XDG base directory specification.
    Xdg,
    /// macOS.
    MacOs,
    /// Windows.
    Windows,
}

impl Platform {
    /// The one this program was built for.
    pub const CURRENT: Self = if cfg!(windows) {
        Self::Windows
    } else if cfg!(target_os = "macos") {
        Self::MacOs
    } else {
        Self::Xdg
    };
}

/// The environment names no home.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("there is no folder for the settings: set {CONFIG_DIR_VARIABLE} or {0}")]
pub struct NoConfigDir(&'static str);

/// The folder of the settings; it may not exist yet. `STYLESCOPE_CONFIG_DIR` if that is set, else `stylescope` in
/// `$XDG_CONFIG_HOME` or `~/.config`, in `%APPDATA%`, or in `~/Library/Application Support`.
///
/// # Errors
/// The environment names no home.
pub fn config_dir() -> Result<PathBuf, NoConfigDir> {
    config_dir_from(Platform::CURRENT, &|name| std::env::var_os(name))
}

/// [`config_dir`] of any platform and environment.
///
/// # Errors
/// The environment names no home.
pub fn config_dir_from(
    platform: Platform,
    variable: &dyn Fn(&str) -> Option<OsString>,
) -> Result<PathBuf, NoConfigDir> {
    let names = match platform {
        Platform::Windows => Names { parent: "APPDATA", in_parent: "", xdg: None },
        Platform::MacOs => Names { parent: "HOME", in_parent: "Library/Application Support", xdg: None },
        Platform::Xdg => Names { parent: "HOME", in_parent: ".config", xdg: Some("XDG_CONFIG_HOME") },
    };
    folder_from(&names, variable)
}

/// Where a platform has a kind of files.
struct Names {
    /// The variable with the folder that all others lie in.
    parent: &'static str,
    /// The folder within it.
    in_parent: &'static str,
    /// The variable that names both in one, where there is such a thing.
    xdg: Option<&'static str>,
}

fn folder_from(names: &Names, variable: &dyn Fn(&str) -> Option<OsString>) -> Result<PathBuf, NoConfigDir> {
    let path = |name: &str| variable(name).filter(|value| !value.is_empty()).map(PathBuf::from);
    if let Some(chosen) = path(CONFIG_DIR_VARIABLE) {
        return Ok(chosen);
    }
    // The specification has relative paths ignored.
    let named = names.xdg.and_then(path).filter(|path| path.is_absolute());
    let parent = match named {
        Some(named) => named,
        None => path(names.parent).ok_or(NoConfigDir(names.parent))?.join(names.in_parent),
    };
    Ok(parent.join("stylescope"))
}

/// The folder of what can be made again at any time; it may not exist yet. `STYLESCOPE_CONFIG_DIR` if that is set, else
/// `stylescope` in `$XDG_CACHE_HOME` or `~/.cache`, in `%LOCALAPPDATA%`, or in `~/Library/Caches`.
///
/// # Errors
/// The environment names no home.
pub fn cache_dir() -> Result<PathBuf, NoConfigDir> {
    cache_dir_from(Platform::CURRENT, &|name| std::env::var_os(name))
}

/// [`cache_dir`] of any platform and environment.
///
/// # Errors
/// The environment names no home.
pub fn cache_dir_from(platform: Platform, variable: &dyn Fn(&str) -> Option<OsString>) -> Result<PathBuf, NoConfigDir> {
    let names = match platform {
        Platform::Windows => Names { parent: "LOCALAPPDATA", in_parent: "", xdg: None },
        Platform::MacOs => Names { parent: "HOME", in_parent: "Library/Caches", xdg: None },
        Platform::Xdg => Names { parent: "HOME", in_parent: ".cache", xdg: Some("XDG_CACHE_HOME") },
    };
    folder_from(&names, variable)
}

/// Where pictures go until the user chooses another folder: `Pictures` in the home folder if there is one, else the
/// home folder, else the current folder.
pub fn pictures_dir() -> PathBuf {
    match home_dir() {
        Some(home) => Some(home.join("Pictures")).filter(|path| path.is_dir()).unwrap_or(home),
        None => PathBuf::from("."),
    }
}

/// Where training runs go until the user chooses another folder: `stylescope-runs` in the home folder, else in the current one.
pub fn runs_dir() -> PathBuf {
    home_dir().unwrap_or_else(|| PathBuf::from(".")).join("stylescope-runs")
}

fn home_dir() -> Option<PathBuf> {
    let home = std::env::var_os(if cfg!(windows) { "USERPROFILE" } else { "HOME" }).filter(|home| !home.is_empty());
    home.map(PathBuf::from)
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;

    fn dir(platform: Platform, variables: &[(&str, &str)]) -> Result<PathBuf, NoConfigDir> {
        config_dir_from(platform, &|name| {
            variables.iter().find(|(key, _)| *key == name).map(|(_, value)| OsString::from(value))
        })
    }

    #[test]
    fn each_platform_has_its_place() {
        let home = [("HOME", "/home/ann"), ("APPDATA", "C:\\Ann"), ("XDG_CONFIG_HOME", "")];
        assert_eq!(dir(Platform::Xdg, &home), Ok("/home/ann/.config/stylescope".into()));
        assert_eq!(dir(Platform::MacOs, &home), Ok("/home/ann/Library/Application Support/stylescope".into()));
        assert_eq!(dir(Platform::Windows, &home), Ok(Path::new("C:\\Ann").join("stylescope")));
    }

    #[test]
    fn caches_lie_elsewhere() {
        let home = [("HOME", "/h"), ("LOCALAPPDATA", "C:\\Ann")];
        let dir = |platform, variables: &[(&str, &str)]| {
            cache_dir_from(platform, &|name| {
                variables.iter().find(|(key, _)| *key == name).map(|(_, value)| OsString::from(value))
            })
        };
        assert_eq!(dir(Platform::Xdg, &home), Ok("/h/.cache/stylescope".into()));
        assert_eq!(dir(Platform::MacOs, &home), Ok("/h/Library/Caches/stylescope".into()));
        assert_eq!(dir(Platform::Windows, &home), Ok(Path::new("C:\\Ann").join("stylescope")));
        assert_eq!(dir(Platform::Xdg, &[(CONFIG_DIR_VARIABLE, "/mine")]), Ok("/mine".into()));
    }

    #[cfg(unix)]
    #[test]
    fn xdg_config_home_must_be_absolute() {
        let with = |config| dir(Platform::Xdg, &[("HOME", "/h"), ("XDG_CONFIG_HOME", config)]);
        assert_eq!(with("/etc/x"), Ok("/etc/x/stylescope".into()));
        assert_eq!(with("relative"), Ok("/h/.config/stylescope".into()));
    }

    #[test]
    fn the_variable_goes_before_everything_and_no_home_is_an_error() {
        for platform in [Platform::Xdg, Platform::MacOs, Platform::Windows] {
            assert_eq!(dir(platform, &[(CONFIG_DIR_VARIABLE, "/mine"), ("HOME", "/h")]), Ok("/mine".into()));
            let message = dir(platform, &[]).unwrap_err().to_string();
            assert!(message.contains(CONFIG_DIR_VARIABLE), "{message}");
        }
    }
}
