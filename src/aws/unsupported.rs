//! The operations of Amazon Cognito that this server does not have, to tell them from names
//! that no AWS client would send.
//!
//! Source: the model of botocore 1.44.8.

/// The names, separated by spaces.
const NAMES: &str = "\
    AddUserPoolClientSecret AdminAddUserToGroup AdminConfirmSignUp AdminCreateUser \
    AdminDeleteSoftwareToken AdminDeleteUser AdminDeleteUserAttributes \
    AdminDisableProviderForUser AdminDisableUser AdminEnableUser AdminForgetDevice \
    AdminGetDevice AdminGetUser AdminGetUserAuthFactors AdminInitiateAuth \
    AdminLinkProviderForUser AdminListDevices AdminListGroupsForUser AdminListUserAuthEvents \
    AdminListUserSessions AdminRemoveUserFromGroup AdminResetUserPassword \
    AdminRespondToAuthChallenge AdminRevokeUserSession AdminSetUserMFAPreference \
    AdminSetUserPassword AdminSetUserSettings AdminUpdateAuthEventFeedback \
    AdminUpdateDeviceStatus AdminUpdateUserAttributes AdminUserGlobalSignOut \
    AssociateSoftwareToken CancelPointInTimeRecovery ChangePassword \
    CompleteWebAuthnRegistration ConfirmDevice ConfirmForgotPassword ConfirmSignUp \
    CreateCIMDPolicy CreateGroup CreateIdentityProvider CreateManagedLoginBranding \
    CreateResourceServer CreateTerms CreateUserImportJob CreateUserPoolClient \
    CreateUserPoolReplica DeleteCIMDPolicy DeleteGroup DeleteIdentityProvider \
    DeleteManagedLoginBranding DeleteResourceServer DeleteTerms DeleteUser \
    DeleteUserAttributes DeleteUserPoolClient DeleteUserPoolClientSecret DeleteUserPoolReplica \
    DeleteWebAuthnCredential DescribeCIMDPolicy DescribeIdentityProvider \
    DescribeManagedLoginBranding DescribeManagedLoginBrandingByClient \
    DescribePointInTimeRecovery DescribeResourceServer DescribeRiskConfiguration DescribeTerms \
    DescribeTermsByClient DescribeUserImportJob DescribeUserPoolClient ForgetDevice \
    ForgotPassword GetCSVHeader GetClientToken GetDerivedToken GetDevice GetGroup \
    GetIdentityProviderByIdentifier GetLogDeliveryConfiguration GetProvisionedLimit \
    GetSigningCertificate GetTokensFromRefreshToken GetUICustomization GetUser \
    GetUserAttributeVerificationCode GetUserAuthFactors GetUserPoolClientSessionConfiguration \
    GetUserPoolSessionConfiguration GlobalSignOut InitiateAuth InitiatePointInTimeRecovery \
    ListCIMDPolicies ListClientMetadataURLs ListDevices ListGroups ListIdentityProviders \
    ListPointInTimeRecoveries ListResourceServers ListTerms ListUserImportJobs \
    ListUserPoolClientSecrets ListUserPoolClients ListUserPoolReplicas ListUserSessions \
    ListUsers ListUsersInGroup ListWebAuthnCredentials ResendConfirmationCode \
    RespondToAuthChallenge RevokeToken RevokeUserSession SetLogDeliveryConfiguration \
    SetRiskConfiguration SetUICustomization SetUserMFAPreference \
    SetUserPoolClientSessionConfiguration SetUserPoolSessionConfiguration SetUserSettings \
    SignUp StartPointInTimeRecovery StartUserImportJob StartWebAuthnRegistration \
    StopUserImportJob UpdateAuthEventFeedback UpdateCIMDPolicy UpdateClientMetadataURLState \
    UpdateDeviceStatus UpdateGroup UpdateIdentityProvider UpdateManagedLoginBranding \
    UpdateProvisionedLimit UpdateResourceServer UpdateTerms UpdateUserAttributes \
    UpdateUserPoolClient UpdateUserPoolReplica VerifySoftwareToken VerifyUserAttribute";

/// Whether Amazon Cognito has this operation, and this server does not.
pub(super) fn is_unsupported(name: &str) -> bool {
    NAMES.split(' ').any(|known| known == name)
}
