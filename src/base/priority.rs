//! How much a thread gives way to others.

/// Makes the calling thread give way to every thread of ordinary priority that has something to do. What it starts later gives way
/// too. Only Linux lets a thread do that for itself; elsewhere nothing happens.
pub fn give_way() {
    #[cfg(target_os = "linux")]
    {
        /// About a ninth of the time of an ordinary thread that wants the same processor.
        const NICE: libc::c_int = 10;
        // SAFETY: it takes numbers alone. 0 is the calling thread: Linux keeps this value for each thread.
        #[allow(unsafe_code, reason = "the standard library does not offer it")]
        let result = unsafe { libc::setpriority(libc::PRIO_PROCESS, 0, NICE) };
        if result != 0 {
            log::debug!("a thread keeps its priority: {}", std::io::Error::last_os_error());
        }
    }
}

#[cfg(all(test, target_os = "linux"))]
mod tests {
    #[test]
    fn only_the_calling_thread_gives_way() {
        let nice = || {
            let stat = std::fs::read_to_string("/proc/thread-self/stat").unwrap();
            // Behind the name, which may hold anything; nice is the 19th field.
            stat[stat.rfind(')').unwrap() + 2..].split(' ').nth(16).unwrap().parse::<i32>().unwrap()
        };
        let before = nice();
        let lowered = std::thread::spawn(move || {
            super::give_way();
            (nice(), std::thread::spawn(nice).join().unwrap())
        });
        assert_eq!(lowered.join().unwrap(), (10, 10));
        assert_eq!(nice(), before);
    }
}
