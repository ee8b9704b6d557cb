//! The wire: duban's gRPC packages, generated at build time from the protos beside this file.
//!
//! Messages, clients and servers, and nothing else: no rule, no conversion, no default lives here.
//! The protos' comments are the reference of the interface: meaning, units, bounds and errors.

/// Declares a package's module; what prost and tonic generate is theirs to style.
macro_rules! package {
    ($(#[$doc:meta])* $name:ident = $package:literal) => {
        $(#[$doc])*
        pub mod $name {
            /// The first version of the package.
            #[allow(missing_docs, unreachable_pub, clippy::all, clippy::pedantic, rustdoc::all)]
            pub mod v1 {
                tonic::include_proto!($package);
            }
        }
    };
}

package! {
    /// What every call shares: the context of a command, its receipt, how fresh and as of when a query answers.
    call = "duban.call.v1"
}
package! {
    /// Agencies (机构) and their names over time.
    agencies = "duban.agencies.v1"
}
package! {
    /// Documents (政策文件) and readings (认定), tasks (事项), assignments (承办), responsibility.
    tasks = "duban.tasks.v1"
}
package! {
    /// Reporting cycles, obligations (应报) and reports (报送).
    reports = "duban.reports.v1"
}
package! {
    /// The log itself: read, followed, explained.
    audit = "duban.audit.v1"
}

/// Every package's descriptors with their imports and comments, as an encoded `FileDescriptorSet`:
/// what server reflection serves.
pub const FILE_DESCRIPTOR_SET: &[u8] = include_bytes!(concat!(env!("OUT_DIR"), "/duban.bin"));
