//! What each method of the contract asks of a caller: the one table of it.

use crate::Role;

const MEMORY: &str = "/mnemic.v1.MemoryService/";
const LIFECYCLE: &str = "/mnemic.v1.LifecycleService/";
const ADMIN: &str = "/mnemic.v1.AdminService/";

/// Service, method and least role of every method of the contract.
pub const METHODS: [(&str, &str, Role); 47] = [
    (MEMORY, "SearchMemories", Role::Read),
    (MEMORY, "BatchSearchMemories", Role::Read),
    (MEMORY, "ComposeContext", Role::Read),
    (MEMORY, "GetMemory", Role::Read),
    (MEMORY, "BatchGetMemories", Role::Read),
    (MEMORY, "ListMemories", Role::Read),
    (MEMORY, "GetMemoryHistory", Role::Read),
    (MEMORY, "ListScopes", Role::Read),
    (MEMORY, "WatchMemories", Role::Read),
    (MEMORY, "GetOperation", Role::Read),
    (MEMORY, "AddMemories", Role::Write),
    (MEMORY, "IngestMemories", Role::Write),
    (MEMORY, "UpdateMemory", Role::Write),
    (MEMORY, "DeleteMemory", Role::Write),
    (MEMORY, "RestoreMemory", Role::Write),
    (LIFECYCLE, "SetRetentionPolicy", Role::Admin),
    (LIFECYCLE, "GetRetentionPolicy", Role::Admin),
    (LIFECYCLE, "ListRetentionPolicies", Role::Admin),
    (LIFECYCLE, "DeleteRetentionPolicy", Role::Admin),
    (LIFECYCLE, "PreviewRetention", Role::Admin),
    (LIFECYCLE, "RunRetention", Role::Admin),
    (LIFECYCLE, "GetRetentionRun", Role::Admin),
    (LIFECYCLE, "ListArchivedMemories", Role::Admin),
    (LIFECYCLE, "CreateLegalHold", Role::Admin),
    (LIFECYCLE, "ListLegalHolds", Role::Admin),
    (LIFECYCLE, "ReleaseLegalHold", Role::Admin),
    (LIFECYCLE, "ConsolidateScope", Role::Admin),
    (LIFECYCLE, "EraseScope", Role::Admin),
    (LIFECYCLE, "GetErasureReceipt", Role::Admin),
    (LIFECYCLE, "ListErasures", Role::Admin),
    (LIFECYCLE, "ExportMemories", Role::Admin),
    (LIFECYCLE, "ImportMemories", Role::Admin),
    (ADMIN, "GetTenant", Role::Admin),
    (ADMIN, "UpdateTenant", Role::Admin),
    (ADMIN, "CreateApiKey", Role::Admin),
    (ADMIN, "ListApiKeys", Role::Admin),
    (ADMIN, "RevokeApiKey", Role::Admin),
    (ADMIN, "GetStats", Role::Admin),
    (ADMIN, "ListDeadLetters", Role::Admin),
    (ADMIN, "ReplayDeadLetters", Role::Admin),
    (ADMIN, "ExportAuditLog", Role::Admin),
    (ADMIN, "CreateTenant", Role::Operator),
    (ADMIN, "ListTenants", Role::Operator),
    (ADMIN, "DeleteTenant", Role::Operator),
    (ADMIN, "CreateBackup", Role::Operator),
    (ADMIN, "ListBackups", Role::Operator),
    (ADMIN, "GetReembedStatus", Role::Operator),
];

/// The role that a method asks for, given its path (`/mnemic.v1.MemoryService/GetMemory`); None when it needs no
/// credential at all.
///
/// Probes of health come without one. Reflection shows the public contract, yet its streams hold threads: it asks for
/// the least role. What the table does not have is for operators.
pub fn least_role(path: &str) -> Option<Role> {
    if path.starts_with("/grpc.health.") {
        return None;
    }
    if path.starts_with("/grpc.reflection.") {
        return Some(Role::Read);
    }
    let found = METHODS.iter().find(|(service, method, _)| {
        path.strip_prefix(service)
            .is_some_and(|rest| rest == *method)
    });
    Some(found.map_or(Role::Operator, |&(_, _, role)| role))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_table_says_what_a_method_asks() {
        let role = |path: &str| least_role(path).map(Role::name);
        assert_eq!(
            role("/mnemic.v1.MemoryService/SearchMemories"),
            Some("read")
        );
        assert_eq!(role("/mnemic.v1.MemoryService/DeleteMemory"), Some("write"));
        assert_eq!(
            role("/mnemic.v1.LifecycleService/EraseScope"),
            Some("admin")
        );
        assert_eq!(
            role("/mnemic.v1.AdminService/CreateBackup"),
            Some("operator")
        );
        assert_eq!(role("/mnemic.v1.AdminService/Unknown"), Some("operator"));
        assert_eq!(role("/grpc.health.v1.Health/Check"), None);
        assert_eq!(
            role("/grpc.reflection.v1alpha.ServerReflection/ServerReflectionInfo"),
            Some("read")
        );
    }
}
